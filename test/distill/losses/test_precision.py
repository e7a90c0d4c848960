"""What every loss promises: FP32 under autocast and for half inputs, no gradient to the teacher."""

from __future__ import annotations

import pytest
import torch
from loss_values import loss_value
from torch import Tensor

from distill.losses.catalogue import ALL_LOSSES, FEATURE_LOSSES, LOGIT_LOSSES

CLASSES, HEIGHT, WIDTH = 4, 16, 24
LABELS = torch.randint(0, CLASSES, (2, HEIGHT, WIDTH), generator=torch.Generator().manual_seed(0))
WEIGHTS = torch.full((2, HEIGHT, WIDTH), 8.0)
HALVES = [torch.float16, torch.bfloat16]
OF_THE_TEACHER = [*LOGIT_LOSSES, *FEATURE_LOSSES]


def pair(dtype: torch.dtype = torch.float32, scale: float = 5.0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    student = scale * torch.randn(2, CLASSES, HEIGHT, WIDTH, generator=generator)
    teacher = scale * torch.randn(2, CLASSES, HEIGHT, WIDTH, generator=generator)
    return student.to(dtype).requires_grad_(), teacher.to(dtype)


def value_of(name: str, student: Tensor, teacher: Tensor) -> Tensor:
    return loss_value(ALL_LOSSES[name], student, teacher, LABELS, WEIGHTS)


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("name", ALL_LOSSES)
def test_half_inputs_give_the_fp32_value_of_the_same_numbers(name: str, dtype: torch.dtype) -> None:
    student, teacher = pair(dtype)
    value = value_of(name, student, teacher)
    assert value.dtype == torch.float32
    assert value.shape == ()
    torch.testing.assert_close(value, value_of(name, student.float(), teacher.float()), rtol=0, atol=0)


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("name", ALL_LOSSES)
def test_autocast_changes_nothing(name: str, dtype: torch.dtype) -> None:
    student, teacher = pair()
    expected = value_of(name, student, teacher)
    with torch.autocast("cpu", dtype=dtype):
        value = value_of(name, student, teacher)
    torch.testing.assert_close(value, expected, rtol=0, atol=0)


@pytest.mark.parametrize("name", ALL_LOSSES)
def test_extreme_half_inputs_give_finite_values_and_gradients(name: str) -> None:
    """±65504, the ends of FP16: any sum or square in half precision would overflow."""
    student, teacher = pair(torch.float16, scale=1e5)
    student = student.detach().clamp(-65504, 65504).requires_grad_()
    value = value_of(name, student, teacher.clamp(-65504, 65504))
    value.backward()
    assert torch.isfinite(value)
    assert student.grad is not None
    assert torch.isfinite(student.grad).all()


@pytest.mark.parametrize("name", OF_THE_TEACHER)
def test_teacher_gets_no_gradient(name: str) -> None:
    student, teacher = pair()
    teacher.requires_grad_()
    value_of(name, student, teacher).backward()
    assert teacher.grad is None
    assert student.grad is not None
    assert student.grad.abs().sum() > 0


@pytest.mark.parametrize("name", ALL_LOSSES)
def test_double_precision_is_kept(name: str) -> None:
    assert value_of(name, *pair(torch.float64)).dtype == torch.float64
