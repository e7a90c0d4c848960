"""Reading an image: on a GPU, as logits, with ignored pixels and with wrong ones."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from distill.metrics.accumulator import Accumulator
from distill.metrics.cells import equal_edges
from distill.metrics.sweep import sweep

C, IGNORE = 5, 255


def random_image(seed: int) -> tuple[Tensor, Tensor]:
    """Probabilities [C, 20, 30] and labels, a tenth of them ignored."""
    generator = torch.Generator().manual_seed(seed)
    p = (2 * torch.randn(C, 20, 30, generator=generator)).softmax(0)
    labels = torch.randint(C, (20, 30), generator=generator)
    labels[torch.rand(labels.shape, generator=generator) < 0.1] = IGNORE
    return p, labels.to(torch.uint8)


def test_sums_equal_those_of_each_class_and_cell_by_itself() -> None:
    scores, truth = random_image(0)
    p, labels = scores.flatten(-2), truth.flatten(-2)
    p[2, ::7], p[2, 1::7], p[2, 2::7] = 0.25, 0.5, 0  # on edges
    edges = torch.from_numpy(equal_edges(4))
    pixels, negatives = sweep(p, labels, edges)
    valid = labels != IGNORE
    p, labels = p[:, valid], labels[valid].long()
    np.testing.assert_array_equal(pixels.of_label, p[labels, torch.arange(len(labels))])
    np.testing.assert_array_equal(pixels.confidence, p.amax(0))
    np.testing.assert_array_equal(pixels.prediction, p.argmax(0))
    other = p.double().masked_fill(torch.nn.functional.one_hot(labels, C).T.bool(), math.nan)
    assert negatives.squares.item() == pytest.approx(other.square().nansum().item(), rel=1e-7)
    for c in range(C):
        for k, (low, high) in enumerate([(0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1)]):
            inside = other[c][(other[c] >= low) & (other[c] < high)]
            assert negatives.counts[c, k] == len(inside)
            assert negatives.probability[c, k].item() == pytest.approx(inside.sum().item(), rel=1e-12)


def test_nll_of_logits_is_the_cross_entropy() -> None:
    """Also where probabilities underflow."""
    logits, labels = 200 * torch.randn(C, 20, 30), random_image(9)[1]
    scores = Accumulator(C)
    scores.update(logits, labels, logits=True)
    expected = torch.nn.functional.cross_entropy(
        logits[None].double(), labels[None].long(), ignore_index=IGNORE
    )
    assert scores.nll() == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_same() -> None:
    p, labels = random_image(11)
    here, there = Accumulator(C), Accumulator(C)
    here.update(p, labels)
    there.update(p.cuda(), labels)
    for name, array in here.state().items():
        np.testing.assert_allclose(there.state()[name], array, rtol=1e-6, err_msg=name)


def test_what_was_predicted_on_ignored_pixels_does_not_matter() -> None:
    p, labels = random_image(13)
    spoiled = p.masked_fill(labels == IGNORE, math.nan)
    for logits in (False, True):
        ours, expected = Accumulator(C), Accumulator(C)
        ours.update(spoiled, labels, logits)
        expected.update(p, labels, logits)
        for name, array in expected.state().items():
            np.testing.assert_array_equal(ours.state()[name], array, err_msg=name)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p, y: (p[:4], y), "are not"),
        (lambda p, y: (p, y[1:]), "are not"),
        (lambda p, y: (p, y.float()), "integers"),
        (lambda p, y: (p, torch.full_like(y, 5)), "labels hold"),
        (lambda p, y: (p - 0.5, y), "0…1"),
        (lambda p, y: (p + 0.5, y), "0…1"),
        (lambda p, y: (p * math.nan, y), "0…1"),
        (lambda p, y: (p * math.nan, y, True), "NaN"),
        (lambda p, y: (p * math.inf, y, True), "NaN or infinity"),
        (lambda p, y: (p.scatter(0, y[None].long().clamp_max(4), -math.inf), y, True), "infinity"),
    ],
)
def test_wrong_input_is_refused(change: Callable[..., tuple], message: str) -> None:
    p, labels = random_image(14)
    scores = Accumulator(C)
    with pytest.raises(ValueError, match=message):
        scores.update(*change(p, labels))
    assert scores.pixels == 0
