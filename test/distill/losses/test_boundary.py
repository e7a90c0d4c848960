"""Boundary loss against SciPy's filters and scikit-learn's balanced log loss."""

import numpy as np
import pytest
import torch
from scipy.ndimage import maximum_filter, minimum_filter
from scipy.special import expit
from sklearn.metrics import log_loss

from distill.losses.boundary import boundary_loss, label_boundaries


def labels(seed: int) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    return torch.from_numpy(np.kron(rng.integers(0, 5, (2, 4, 5)), np.ones((1, 8, 8), int)))


def test_boundaries_are_where_a_window_holds_two_labels() -> None:
    found = label_boundaries(labels(0)).numpy()
    for one, image in zip(found, labels(0).numpy(), strict=True):
        window = {"size": 5, "mode": "nearest"}
        np.testing.assert_array_equal(one, maximum_filter(image, **window) != minimum_filter(image, **window))


def test_a_straight_border_is_four_pixels_wide() -> None:
    image = torch.zeros(1, 3, 20, dtype=torch.long)
    image[..., 10:] = 255
    assert label_boundaries(image)[0, 1].nonzero().flatten().tolist() == [8, 9, 10, 11]


def test_both_kinds_weigh_the_same() -> None:
    """Balanced weights are N/(P+N) and P/(P+N); scikit-learn divides by their sum, this loss by P + N."""
    logits = torch.from_numpy(np.random.default_rng(1).normal(size=(2, 1, 32, 40)))
    target = label_boundaries(labels(1)).numpy().ravel()
    share = target.mean()
    weights = np.where(target, 1 - share, share)
    expected = log_loss(target, expit(logits.numpy().ravel()), sample_weight=weights) * weights.mean()
    assert boundary_loss(logits, labels(1)).item() == pytest.approx(expected)


def test_an_image_of_one_label_gives_zero() -> None:
    logits = torch.randn(1, 1, 8, 8, requires_grad=True)
    value = boundary_loss(logits, torch.full((1, 8, 8), 3))
    value.backward()
    assert value.item() == 0
    assert logits.grad is not None
    assert (logits.grad == 0).all()


def test_extreme_logits_stay_finite() -> None:
    logits = (1e4 * torch.randn(2, 1, 32, 40)).half().requires_grad_()
    value = boundary_loss(logits, labels(2))
    value.backward()
    assert value.dtype == torch.float32
    assert torch.isfinite(value)
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
