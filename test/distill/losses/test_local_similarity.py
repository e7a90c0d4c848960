"""Local similarity against a loop over pixels and their neighbours."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from distill.losses.local_similarity import local_similarity_loss


def features(seed: int, channels: int = 3) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(2, channels, 4, 5)))


def distances(features: torch.Tensor) -> NDArray[np.float64]:
    values = features.numpy()
    total = np.zeros((values.shape[0], *values.shape[2:]))
    for b, y, x in np.ndindex(*total.shape):
        for v in range(max(y - 1, 0), min(y + 2, total.shape[1])):
            for u in range(max(x - 1, 0), min(x + 2, total.shape[2])):
                total[b, y, x] += math.dist(values[b, :, y, x], values[b, :, v, u])
    return total


@pytest.mark.parametrize("channels", [1, 3, 6])
@pytest.mark.parametrize("size", [(4, 5), (1, 5), (4, 1), (2, 2), (1, 1)])
def test_is_the_mean_square_difference_of_summed_distances(channels: int, size: tuple[int, int]) -> None:
    student, teacher = (
        features(1)[..., : size[0], : size[1]],
        features(2, channels)[..., : size[0], : size[1]],
    )
    expected = ((distances(student) - distances(teacher)) ** 2).mean()
    assert local_similarity_loss(student, teacher).item() == pytest.approx(expected, rel=1e-9)


def test_a_lone_pixel_of_another_class_is_the_greatest_difference() -> None:
    """√2 to each of 8 neighbours; its neighbours see it once."""
    lone = torch.zeros(1, 2, 3, 3)
    lone[0, 0] = 1
    lone[0, :, 1, 1] = torch.tensor([0.0, 1.0])
    flat = torch.ones(1, 1, 3, 3)
    assert local_similarity_loss(lone, flat).item() == pytest.approx((128 + 8 * 2) / 9)


@given(seed=st.integers(0, 1000), shift=st.floats(-50, 50))
def test_properties(seed: int, shift: float) -> None:
    student, teacher = features(seed), features(seed + 1)
    value = local_similarity_loss(student, teacher).item()
    assert value > 0
    assert local_similarity_loss(student, student + shift).item() == pytest.approx(0, abs=1e-20)
    assert local_similarity_loss(student.flip(1), teacher).item() == pytest.approx(value, rel=1e-9)
    assert local_similarity_loss(student.flip(2), teacher.flip(2)).item() == pytest.approx(value, rel=1e-9)
    assert local_similarity_loss(student.mT, teacher.mT).item() == pytest.approx(value, rel=1e-9)
    assert local_similarity_loss(3 * student, 3 * teacher).item() == pytest.approx(9 * value, rel=1e-9)


def test_gradient_equals_finite_differences() -> None:
    assert torch.autograd.gradcheck(
        lambda s: local_similarity_loss(s, features(2)), features(1).requires_grad_()
    )


@pytest.mark.parametrize("scale", [0.0, 1e-30, 65504.0])
def test_flat_maps_and_extremes_have_finite_values_and_gradients(scale: float) -> None:
    student = (scale * torch.randn(2, 3, 4, 5)).requires_grad_()
    value = local_similarity_loss(student, torch.randn(2, 3, 4, 5))
    value.backward()
    assert torch.isfinite(value)
    assert student.grad is not None
    assert torch.isfinite(student.grad).all()


def test_sizes_that_differ_are_named() -> None:
    with pytest.raises(ValueError, match=r"\(2, 3, 4, 5\).*\(2, 3, 3, 5\)"):
        local_similarity_loss(features(1), features(2)[:, :, :3])
