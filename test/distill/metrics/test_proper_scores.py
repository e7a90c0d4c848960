from __future__ import annotations

import math

import pytest
import torch

from distill.metrics.proper_scores import SMALLEST, brier_sum, mean_or_nan, nll_sum


def test_brier_of_one_pixel() -> None:
    """p = (0.2, 0.5, 0.3), label 1."""
    total = brier_sum(torch.tensor([0.5]), torch.tensor(0.2**2 + 0.3**2))
    assert total.item() == pytest.approx(0.25 + 0.04 + 0.09)


def test_nll_from_probabilities_is_bounded() -> None:
    of_label = torch.tensor([0.5, 1.0, 0.0])
    expected = math.log(2) - math.log(SMALLEST)
    assert nll_sum(of_label, torch.ones(3), None).item() == pytest.approx(expected, rel=1e-12)


def test_nll_from_logits_is_exact_where_the_probability_underflows() -> None:
    logits = torch.tensor([[0.0, 3.0, 300.0], [0.0, 1.0, 0.0]])
    labels = torch.tensor([0, 0])
    top, margin = logits.softmax(1).amax(1), (logits.amax(1) - logits[:, 0]).double()
    total = nll_sum(logits.softmax(1)[:, 0], top, margin)
    expected = torch.nn.functional.cross_entropy(logits.double(), labels, reduction="sum")
    assert total.item() == pytest.approx(expected.item(), rel=1e-7)


def test_the_mean_of_nothing_is_undefined() -> None:
    assert math.isnan(mean_or_nan(0, 0))
    assert mean_or_nan(3, 2) == 1.5
