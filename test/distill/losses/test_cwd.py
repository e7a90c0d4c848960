"""Channel-wise distillation against SciPy, channel by channel."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import rel_entr, softmax

from distill.losses.cwd import cwd_loss


def features(seed: int, scale: float = 5.0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(scale=scale, size=(2, 3, 4, 5)))


def reference(student: torch.Tensor, teacher: torch.Tensor, t: float) -> float:
    total = 0.0
    for s, f in zip(student.numpy().reshape(6, 20), teacher.numpy().reshape(6, 20), strict=True):
        total += rel_entr(softmax(f / t), softmax(s / t)).sum()
    return float(t**2 / 6 * total)


@pytest.mark.parametrize("temperature", [1.0, 4.0, 10.0])
def test_equals_relative_entropy_per_channel(temperature: float) -> None:
    expected = reference(features(1), features(2), temperature)
    assert cwd_loss(features(1), features(2), temperature).item() == pytest.approx(expected, rel=1e-9)


def test_temperature_is_four_by_default() -> None:
    assert cwd_loss(features(1), features(2)).item() == pytest.approx(
        reference(features(1), features(2), 4.0)
    )


def test_memory_layout_changes_nothing() -> None:
    student = features(1).contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(cwd_loss(student, features(2)), cwd_loss(features(1), features(2)))


def test_gradient_equals_finite_differences() -> None:
    assert torch.autograd.gradcheck(lambda s: cwd_loss(s, features(2)), features(1).requires_grad_())


@given(seed=st.integers(0, 1000), shift=st.floats(-50, 50))
def test_properties(seed: int, shift: float) -> None:
    student, teacher = features(seed), features(seed + 1)
    value = cwd_loss(student, teacher).item()
    assert value > 0
    assert cwd_loss(student, student).item() == 0
    per_channel = torch.linspace(-shift, shift, 3, dtype=torch.float64).view(1, 3, 1, 1)
    assert cwd_loss(student + per_channel, teacher).item() == pytest.approx(value, rel=1e-6)


def test_shapes_that_differ_are_named() -> None:
    with pytest.raises(ValueError, match=r"\(2, 3, 4, 5\).*\(2, 3, 2, 5\)"):
        cwd_loss(features(1), features(2)[:, :, :2])
