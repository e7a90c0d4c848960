"""Cross-entropy of the labelled pixels against SciPy."""

import numpy as np
import pytest
import torch
from scipy.special import log_softmax

from distill.losses.cross_entropy import cross_entropy_loss

IGNORE = 255


def test_is_the_mean_over_the_labelled_pixels() -> None:
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(2, 4, 5, 7)), rng.integers(0, 4, (2, 5, 7))
    labels[rng.random(labels.shape) < 0.2] = IGNORE
    log_p = log_softmax(logits, axis=1)
    chosen = np.take_along_axis(log_p, np.where(labels == IGNORE, 0, labels)[:, None], 1)[:, 0]
    value = cross_entropy_loss(torch.from_numpy(logits), torch.from_numpy(labels))
    assert value.item() == pytest.approx(-chosen[labels != IGNORE].mean(), rel=1e-12)


def test_an_ignored_image_gives_zero_and_zero_gradient() -> None:
    logits = torch.randn(1, 3, 2, 2, requires_grad=True)
    value = cross_entropy_loss(logits, torch.full((1, 2, 2), IGNORE))
    value.backward()
    assert value.item() == 0
    assert logits.grad is not None
    assert (logits.grad == 0).all()


def test_shapes_that_differ_are_named() -> None:
    with pytest.raises(ValueError, match=r"labels \(1, 2, 3\)"):
        cross_entropy_loss(torch.zeros(1, 3, 2, 2), torch.zeros(1, 2, 3, dtype=torch.long))
