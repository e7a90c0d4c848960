"""KL and KL-border losses against SciPy's relative entropy."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import rel_entr, softmax

from distill.losses.kl import kl_loss
from distill.losses.kl_border import kl_border_loss

Loss = Callable[..., torch.Tensor]


def logits(seed: int, scale: float = 3.0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(scale=scale, size=(2, 5, 3, 4)))


def reference(student: torch.Tensor, teacher: torch.Tensor, weights: torch.Tensor, t: float) -> float:
    """T²·Σ w·KL / Σ w from softmax and scipy.special.rel_entr."""
    p, q = softmax(teacher.numpy() / t, axis=1), softmax(student.numpy() / t, axis=1)
    divergence = rel_entr(p, q).sum(axis=1)
    return float(t**2 * np.average(divergence, weights=weights.double().numpy()))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_kl_equals_relative_entropy_over_the_mask(temperature: float) -> None:
    mask = torch.from_numpy(np.random.default_rng(3).random((2, 3, 4)) < 0.6)
    expected = reference(logits(1), logits(2), mask, temperature)
    assert kl_loss(logits(1), logits(2), mask, temperature).item() == pytest.approx(expected, rel=1e-9)
    assert kl_loss(logits(1), logits(2), mask.float(), temperature).item() == pytest.approx(
        expected, rel=1e-9
    )


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_kl_border_weighs_each_pixel(temperature: float) -> None:
    weights = torch.from_numpy(np.random.default_rng(4).choice([0, 1, 2, 4, 6, 8], (2, 3, 4))).float()
    expected = reference(logits(1), logits(2), weights, temperature)
    value = kl_border_loss(logits(1), logits(2), weights, temperature)
    assert value.item() == pytest.approx(expected, rel=1e-9)


def test_temperature_is_one_by_default() -> None:
    ones = torch.ones(2, 3, 4)
    expected = reference(logits(1), logits(2), ones, 1.0)
    assert kl_loss(logits(1), logits(2), ones).item() == pytest.approx(expected, rel=1e-9)
    assert kl_border_loss(logits(1), logits(2), ones).item() == pytest.approx(expected, rel=1e-9)


def test_direction_is_teacher_to_student() -> None:
    """A certain teacher p = (1, 0) and an even student q = (½, ½): KL(p‖q) = ln 2, while KL(q‖p) → ∞."""
    teacher = torch.tensor([200.0, 0.0]).view(1, 2, 1, 1)
    student = torch.zeros(1, 2, 1, 1)
    assert kl_loss(student, teacher, torch.ones(1, 1, 1)).item() == pytest.approx(np.log(2))


@pytest.mark.parametrize("loss", [kl_loss, kl_border_loss])
def test_nothing_counted_is_zero_with_zero_gradient(loss: Loss) -> None:
    student = logits(1).requires_grad_()
    value = loss(student, logits(2), torch.zeros(2, 3, 4))
    value.backward()
    assert value.item() == 0
    assert student.grad is not None
    assert torch.equal(student.grad, torch.zeros_like(student))


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_gradient_equals_finite_differences_and_the_closed_form(temperature: float) -> None:
    weights = torch.from_numpy(np.random.default_rng(5).choice([0.0, 1, 8], (2, 3, 4)))
    student = logits(1).requires_grad_()
    assert torch.autograd.gradcheck(lambda s: kl_border_loss(s, logits(2), weights, temperature), student)
    kl_border_loss(student, logits(2), weights, temperature).backward()
    q = torch.softmax(student.detach() / temperature, dim=1)
    p = torch.softmax(logits(2) / temperature, dim=1)
    torch.testing.assert_close(student.grad, temperature * weights[:, None] / weights.sum() * (q - p))


@given(seed=st.integers(0, 1000), shift=st.floats(-50, 50), temperature=st.floats(0.5, 10))
def test_properties(seed: int, shift: float, temperature: float) -> None:
    student, teacher, ones = logits(seed), logits(seed + 1), torch.ones(2, 3, 4)
    value = kl_loss(student, teacher, ones, temperature).item()
    assert value > 0
    assert kl_loss(student + shift, teacher - shift, ones, temperature).item() == pytest.approx(
        value, rel=1e-6
    )
    assert kl_loss(student, student, ones, temperature).item() == 0


@pytest.mark.parametrize("loss", [kl_loss, kl_border_loss])
def test_shapes_that_differ_are_named(loss: Loss) -> None:
    with pytest.raises(ValueError, match=r"\(2, 5, 3, 4\).*\(2, 4, 3, 4\)"):
        loss(logits(1), logits(2)[:, :4], torch.ones(2, 3, 4))
    with pytest.raises(ValueError, match=r"\(2, 3, 5\).*\(2, 5, 3, 4\)"):
        loss(logits(1), logits(2), torch.ones(2, 3, 5))
