"""OHEM cross-entropy against a plain sort in NumPy."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax

from distill.losses.ohem import ohem_loss

IGNORE = 255


def example(seed: int, scale: float = 3.0) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, (2, 5, 7))
    labels[rng.random(labels.shape) < 0.2] = IGNORE
    return torch.from_numpy(scale * rng.normal(size=(2, 4, 5, 7))), torch.from_numpy(labels)


def by_sorting(logits: torch.Tensor, labels: torch.Tensor, threshold: float, keep: int) -> float:
    log_p = log_softmax(logits.numpy(), axis=1)
    chosen = np.take_along_axis(log_p, np.where(labels == IGNORE, 0, labels)[:, None], 1)[:, 0]
    p = np.sort(np.exp(chosen[labels.numpy() != IGNORE]))
    hard = int((p < threshold).sum())
    return float(-np.log(p[: max(hard, min(keep, len(p)))]).mean())


@given(seed=st.integers(0, 1000), threshold=st.floats(0.05, 0.99), keep=st.integers(1, 100))
def test_is_the_mean_over_the_hardest(seed: int, threshold: float, keep: int) -> None:
    logits, labels = example(seed)
    expected = by_sorting(logits, labels, threshold, keep)
    assert ohem_loss(logits, labels, threshold=threshold, keep=keep).item() == pytest.approx(
        expected, rel=1e-9
    )


def test_defaults_are_the_thesis() -> None:
    """By default 131 072 pixels are kept, of which a small image has fewer: plain cross-entropy."""
    logits, labels = example(0)
    expected = torch.nn.functional.cross_entropy(logits, labels, ignore_index=IGNORE)
    torch.testing.assert_close(ohem_loss(logits, labels), expected)


def test_easy_pixels_get_no_gradient() -> None:
    logits = torch.zeros(1, 2, 1, 3)
    logits[0, 0] = torch.tensor([9.0, 0.0, 9.0])
    logits.requires_grad_()
    ohem_loss(logits, torch.zeros(1, 1, 3, dtype=torch.long), keep=1).backward()
    assert logits.grad is not None
    assert (logits.grad[0, :, 0, [0, 2]] == 0).all()
    assert logits.grad[0, 0, 0, 1] == pytest.approx(-0.5)


def test_an_ignored_image_gives_zero_and_zero_gradient() -> None:
    logits = torch.randn(1, 3, 2, 2, requires_grad=True)
    value = ohem_loss(logits, torch.full((1, 2, 2), IGNORE))
    value.backward()
    assert value.item() == 0
    assert logits.grad is not None
    assert (logits.grad == 0).all()


def test_a_nan_is_seen() -> None:
    logits, labels = example(0)
    logits[0, :, labels[0] != IGNORE] = torch.nan
    assert ohem_loss(logits, labels, keep=5).isnan()
    assert ohem_loss(logits[1:], labels[1:], keep=5).isfinite()


def test_shapes_that_differ_are_named() -> None:
    with pytest.raises(ValueError, match=r"labels \(1, 2, 3\)"):
        ohem_loss(torch.zeros(1, 3, 2, 2), torch.zeros(1, 2, 3, dtype=torch.long))
