"""Attention transfer by the largest channel against scikit-learn's normaliser."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import normalize

from distill.losses.attention_transfer_max import attention_transfer_max_loss


def features(seed: int, channels: int = 4) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(3, channels, 2, 5)))


def reference(student: torch.Tensor, teacher: torch.Tensor, power: float) -> float:
    s = normalize((np.abs(student.numpy()).max(1) ** power).reshape(3, 10))
    t = normalize((np.abs(teacher.numpy()).max(1) ** power).reshape(3, 10))
    return float(((s - t) ** 2).mean())


@pytest.mark.parametrize("power", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("channels", [1, 4, 9])
def test_is_the_mean_square_difference_of_the_largest_channels(channels: int, power: float) -> None:
    student, teacher = features(1), features(2, channels)
    expected = reference(student, teacher, power)
    value = attention_transfer_max_loss(student, teacher, power=power).item()
    assert value == pytest.approx(expected, rel=1e-9)
    assert (attention_transfer_max_loss(student, teacher).item() == value) == (power == 2)


@given(seed=st.integers(0, 1000), scale=st.floats(1e-3, 1e3))
def test_scale_sign_and_order_of_channels_change_nothing(seed: int, scale: float) -> None:
    student, teacher = features(seed), features(seed + 1, 6)
    value = attention_transfer_max_loss(student, teacher).item()
    assert 0 < value <= 2 / 10
    signs = torch.tensor([1.0, -1, -1, 1]).view(1, 4, 1, 1)
    changed = scale * signs * student[:, [2, 0, 3, 1]]
    assert attention_transfer_max_loss(changed, teacher).item() == pytest.approx(value, rel=1e-9)
    assert attention_transfer_max_loss(student, -3 * student.flip(1)).item() == pytest.approx(0, abs=1e-30)


def test_attention_at_different_places_is_the_greatest_difference() -> None:
    here, there = torch.zeros(1, 2, 1, 4), torch.zeros(1, 3, 1, 4)
    here[..., 0], there[..., 3] = 5, 7
    assert attention_transfer_max_loss(here, there).item() == pytest.approx(2 / 4)


def test_gradient_equals_finite_differences() -> None:
    teacher = features(2, 6)
    assert torch.autograd.gradcheck(
        lambda s: attention_transfer_max_loss(s, teacher), features(1).requires_grad_()
    )


@pytest.mark.parametrize("scale", [0.0, 1e-30, 1e-9, 65504.0])
def test_zeros_and_extremes_have_finite_values_and_gradients(scale: float) -> None:
    student = (scale * torch.randn(2, 3, 4, 5)).requires_grad_()
    value = attention_transfer_max_loss(student, torch.randn(2, 3, 4, 5))
    value.backward()
    assert torch.isfinite(value)
    assert student.grad is not None
    assert torch.isfinite(student.grad).all()


def test_sizes_that_differ_are_named() -> None:
    with pytest.raises(ValueError, match=r"\(3, 4, 2, 5\).*\(3, 4, 2, 4\)"):
        attention_transfer_max_loss(features(1), features(2)[..., :4])
