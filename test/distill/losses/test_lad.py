"""Layer-wise angular distillation against SciPy's cosine distance."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cosine

from distill.losses.lad import EPS, lad_loss


def features(seed: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(3, 4, 2, 5)))


@given(seed=st.integers(0, 1000), student_scale=st.floats(1e-3, 1e3), teacher_scale=st.floats(1e-3, 1e3))
def test_is_twice_the_cosine_distance_whatever_the_scale(
    seed: int, student_scale: float, teacher_scale: float
) -> None:
    student, teacher = features(seed), features(seed + 1)
    pairs = zip(student.numpy().reshape(3, -1), teacher.numpy().reshape(3, -1), strict=True)
    expected = np.mean([2 * cosine(s, t) for s, t in pairs])
    assert lad_loss(student_scale * student, teacher_scale * teacher).item() == pytest.approx(
        expected, rel=1e-9
    )


def test_range_from_same_to_opposite_direction() -> None:
    student = features(1)
    assert lad_loss(student, student).item() == 0
    assert lad_loss(student, -2 * student).item() == pytest.approx(4)


def test_gradient_equals_finite_differences() -> None:
    assert torch.autograd.gradcheck(lambda s: lad_loss(s, features(2)), features(1).requires_grad_())


def test_zero_maps_have_finite_values_and_gradients() -> None:
    student = torch.zeros(2, 3, 4, 5, requires_grad=True)
    teacher = torch.randn(2, 3, 4, 5)
    value = lad_loss(student, teacher)
    value.backward()
    assert value.item() == pytest.approx(1)  # ‖0 − unit vector‖²
    assert student.grad is not None
    assert torch.isfinite(student.grad).all()
    assert student.grad.norm() <= 2 / EPS
    assert lad_loss(torch.zeros(2, 3, 4, 5), torch.zeros(2, 3, 4, 5)).item() == 0


def test_shapes_that_differ_are_named() -> None:
    with pytest.raises(ValueError, match=r"\(3, 4, 2, 5\).*\(2, 4, 2, 5\)"):
        lad_loss(features(1), features(2)[:2])
