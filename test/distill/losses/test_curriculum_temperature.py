"""The curriculum temperature: its range, its reversed gradient, and its way through the KL losses."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from distill.losses.curriculum_temperature import CurriculumTemperature
from distill.losses.kl import kl_loss
from distill.losses.kl_border import kl_border_loss

Loss = Callable[..., torch.Tensor]
GENERATOR = torch.Generator().manual_seed(0)
STUDENT = 3 * torch.randn(2, 5, 3, 4, generator=GENERATOR)
TEACHER = 3 * torch.randn(2, 5, 3, 4, generator=GENERATOR)
WEIGHTS = torch.ones(2, 3, 4)


@given(theta=st.floats(-1e4, 1e4), progress=st.floats(0, 1))
def test_temperature_stays_between_1_and_21(theta: float, progress: float) -> None:
    module = CurriculumTemperature()
    module.theta.data.fill_(theta)
    value = module(progress)
    assert value.shape == ()
    assert 1 <= value.item() <= 21
    if abs(theta) < 10:
        assert value.item() == pytest.approx(1 + 20 / (1 + math.exp(-theta)), rel=1e-5)


def test_it_starts_at_15_6() -> None:
    assert CurriculumTemperature()(0.0).item() == pytest.approx(15.62, abs=0.01)


@pytest.mark.parametrize("ramp", [10 / 240, 0.5, 1.0])
def test_reversal_rises_along_a_cosine_and_stays(ramp: float) -> None:
    """The paper's formula: λ_min + ½·(λ_max − λ_min)·(1 + cos((1 + min(E, E_loops)/E_loops)·π))."""
    module = CurriculumTemperature(ramp)
    epochs, loops = 240, 240 * ramp
    for epoch in (0, 3, 10, 60, 120, 200, 240):
        expected = (1 + math.cos((1 + min(epoch, loops) / loops) * math.pi)) / 2
        assert module.reversal(epoch / epochs) == pytest.approx(expected, abs=1e-12)
    assert module.reversal(0) == 0
    assert module.reversal(1) == 1


@pytest.mark.parametrize("progress", [0.0, 0.2, 0.5, 1.0])
def test_gradient_is_the_sigmoids_times_minus_lambda(progress: float) -> None:
    module = CurriculumTemperature(ramp=0.5)
    module(progress).backward()
    s = 1 / (1 + math.exp(-1))
    assert module.theta.grad is not None
    expected = -module.reversal(progress) * 20 * s * (1 - s)
    assert module.theta.grad.item() == pytest.approx(expected, rel=1e-5, abs=1e-12)


@pytest.mark.parametrize("loss", [kl_loss, kl_border_loss])
def test_a_tensor_temperature_gives_what_a_number_gives(loss: Loss) -> None:
    temperature = CurriculumTemperature()(0.5)
    student = STUDENT.clone().requires_grad_()
    value = loss(student, TEACHER, WEIGHTS, temperature)
    assert value.shape == ()
    value.backward()
    by_number = STUDENT.clone().requires_grad_()
    expected = loss(by_number, TEACHER, WEIGHTS, temperature.item())
    expected.backward()
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(student.grad, by_number.grad)


@pytest.mark.parametrize("loss", [kl_loss, kl_border_loss])
def test_derivative_in_the_temperature_equals_finite_differences(loss: Loss) -> None:
    temperature = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
    student, teacher = STUDENT.double(), TEACHER.double()
    assert torch.autograd.gradcheck(lambda t: loss(student, teacher, WEIGHTS, t), temperature)


@pytest.mark.parametrize("scale", [0.0, 1.0, 65504.0])
def test_teacher_gets_no_gradient_and_the_temperature_a_finite_one(scale: float) -> None:
    module = CurriculumTemperature()
    student = (scale * STUDENT.clamp(-1, 1)).half().requires_grad_()
    teacher = (scale * TEACHER.clamp(-1, 1)).half().requires_grad_()
    kl_loss(student, teacher, WEIGHTS, module(1.0)).backward()
    assert teacher.grad is None
    assert module.theta.grad is not None
    assert torch.isfinite(module.theta.grad)


def test_minimising_makes_the_task_harder_once_the_curriculum_is_under_way() -> None:
    module = CurriculumTemperature()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.01)
    before = kl_loss(STUDENT, TEACHER, WEIGHTS, module(1.0))
    for progress in (0.0, 1.0):
        optimizer.zero_grad()
        kl_loss(STUDENT, TEACHER, WEIGHTS, module(progress)).backward()
        optimizer.step()
        after = kl_loss(STUDENT, TEACHER, WEIGHTS, module(1.0)).item()
        if progress == 0:
            assert after == before.item()
    assert after > before.item()


@pytest.mark.parametrize("progress", [-0.1, 1.1, math.nan])
def test_progress_outside_of_training_is_refused(progress: float) -> None:
    with pytest.raises(ValueError, match="progress is the share of training done"):
        CurriculumTemperature()(progress)


def test_a_ramp_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="ramp"):
        CurriculumTemperature(ramp=0)
