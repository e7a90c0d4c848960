"""Attention transfer, by the mean and by the largest channel, against scikit-learn's normaliser."""

from collections.abc import Callable
from typing import Final

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from loss_values import assert_finite
from numpy.typing import NDArray
from sklearn.preprocessing import normalize

from distill.losses.attention_transfer import attention_transfer_loss
from distill.losses.attention_transfer_max import attention_transfer_max_loss

Loss = Callable[..., torch.Tensor]
Attention = Callable[[NDArray[np.float64], float], NDArray[np.float64]]


def features(seed: int, channels: int = 4) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(3, channels, 2, 5)))


def by_mean(values: NDArray[np.float64], power: float) -> NDArray[np.float64]:
    mean: NDArray[np.float64] = (np.abs(values) ** power).mean(1)
    return mean


def by_largest(values: NDArray[np.float64], power: float) -> NDArray[np.float64]:
    largest: NDArray[np.float64] = np.abs(values).max(1) ** power
    return largest


LOSSES: Final[dict[Loss, Attention]] = {
    attention_transfer_loss: by_mean,
    attention_transfer_max_loss: by_largest,
}
every_loss = pytest.mark.parametrize("loss", LOSSES)


@pytest.mark.parametrize("power", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("channels", [1, 4, 9])
@every_loss
def test_is_the_mean_square_difference_of_normalised_attention(
    loss: Loss, channels: int, power: float
) -> None:
    student, teacher = features(1), features(2, channels)
    s = normalize(LOSSES[loss](student.numpy(), power).reshape(3, 10))
    t = normalize(LOSSES[loss](teacher.numpy(), power).reshape(3, 10))
    value = loss(student, teacher, power=power).item()
    assert value == pytest.approx(((s - t) ** 2).mean(), rel=1e-9)
    assert (loss(student, teacher).item() == value) == (power == 2)


@every_loss
@given(seed=st.integers(0, 1000), scale=st.floats(1e-3, 1e3))
def test_scale_sign_and_order_of_channels_change_nothing(loss: Loss, seed: int, scale: float) -> None:
    student, teacher = features(seed), features(seed + 1, 6)
    value = loss(student, teacher).item()
    assert 0 < value <= 2 / 10
    signs = torch.tensor([1.0, -1, -1, 1]).view(1, 4, 1, 1)
    changed = scale * signs * student[:, [2, 0, 3, 1]]
    assert loss(changed, teacher).item() == pytest.approx(value, rel=1e-9)
    assert loss(student, -3 * student.flip(1)).item() == pytest.approx(0, abs=1e-30)


@every_loss
def test_attention_at_different_places_is_the_greatest_difference(loss: Loss) -> None:
    here, there = torch.zeros(1, 2, 1, 4), torch.zeros(1, 3, 1, 4)
    here[..., 0], there[..., 3] = 5, 7
    assert loss(here, there).item() == pytest.approx(2 / 4)


@every_loss
def test_gradient_equals_finite_differences(loss: Loss) -> None:
    teacher = features(2, 6)
    assert torch.autograd.gradcheck(lambda s: loss(s, teacher), features(1).requires_grad_())


@pytest.mark.parametrize("scale", [0.0, 1e-30, 1e-9, 65504.0])
@every_loss
def test_zeros_and_extremes_have_finite_values_and_gradients(loss: Loss, scale: float) -> None:
    student = (scale * torch.randn(2, 3, 4, 5)).requires_grad_()
    value = loss(student, torch.randn(2, 3, 4, 5))
    assert_finite(value, student)


@every_loss
def test_sizes_that_differ_are_named(loss: Loss) -> None:
    with pytest.raises(ValueError, match=r"\(3, 4, 2, 5\).*\(3, 4, 2, 4\)"):
        loss(features(1), features(2)[..., :4])
