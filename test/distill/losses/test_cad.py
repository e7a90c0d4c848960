"""Channel-wise angular distillation against SciPy's cosine distance, channel by channel."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cosine

from distill.losses.cad import cad_loss
from distill.losses.lad import EPS


def features(seed: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(3, 4, 2, 5)))


@given(seed=st.integers(0, 1000), exponent=st.floats(-3, 3))
def test_is_twice_the_mean_cosine_distance_whatever_the_scale_of_a_channel(
    seed: int, exponent: float
) -> None:
    student, teacher = features(seed), features(seed + 1)
    pairs = zip(student.numpy().reshape(12, 10), teacher.numpy().reshape(12, 10), strict=True)
    expected = np.mean([2 * cosine(s, t) for s, t in pairs])
    scale = (10 ** torch.linspace(-exponent, exponent, 4, dtype=torch.float64)).view(1, 4, 1, 1)
    assert cad_loss(scale * student, teacher / scale).item() == pytest.approx(expected, rel=1e-9)


def test_range_from_same_to_opposite_direction() -> None:
    student = features(1)
    assert cad_loss(student, student).item() == 0
    assert cad_loss(student, -2 * student).item() == pytest.approx(4)


def test_gradient_equals_finite_differences() -> None:
    assert torch.autograd.gradcheck(lambda s: cad_loss(s, features(2)), features(1).requires_grad_())


def test_a_channel_of_zeros_has_a_finite_value_and_gradient() -> None:
    student = torch.zeros(2, 3, 4, 5, requires_grad=True)
    value = cad_loss(student, torch.randn(2, 3, 4, 5))
    value.backward()
    assert value.item() == pytest.approx(1)  # ‖0 − unit vector‖²
    assert student.grad is not None
    assert (student.grad.flatten(2).norm(dim=2) <= 1.001 * 2 / (EPS * 6)).all()
    assert cad_loss(torch.zeros(2, 3, 4, 5), torch.zeros(2, 3, 4, 5)).item() == 0


def test_shapes_that_differ_are_named() -> None:
    with pytest.raises(ValueError, match=r"\(3, 4, 2, 5\).*\(3, 4, 2, 1\)"):
        cad_loss(features(1), features(2)[..., :1])
