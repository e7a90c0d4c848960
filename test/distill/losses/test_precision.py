"""What every loss promises: FP32 under autocast and for half inputs, no gradient to the teacher."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from distill.losses import (
    attention_transfer_loss,
    border_focal_loss,
    border_focal_loss_published,
    cad_loss,
    cross_image_relational_loss,
    cwd_loss,
    intra_class_variation_loss,
    kl_border_loss,
    kl_loss,
    l2_loss,
    lad_loss,
    local_similarity_loss,
    pad_loss,
    self_similarity_loss,
)

Loss = Callable[[Tensor, Tensor], Tensor]
SHAPE = (2, 4, 6, 8)
LABELS = torch.randint(0, 4, (2, 6, 8), generator=torch.Generator().manual_seed(0))
WEIGHTS = torch.full((2, 6, 8), 8.0)

LOSSES: dict[str, Loss] = {
    "border_focal": lambda s, t: border_focal_loss(s, LABELS, WEIGHTS),
    "border_focal_published": lambda s, t: border_focal_loss_published(s, LABELS, WEIGHTS),
    "kl": lambda s, t: kl_loss(s, t, WEIGHTS > 0, 2.0),
    "kl_border": lambda s, t: kl_border_loss(s, t, WEIGHTS, 2.0),
    "l2": l2_loss,
    "cwd": cwd_loss,
    "lad": lad_loss,
    "cad": cad_loss,
    "pad": pad_loss,
    "attention_transfer": attention_transfer_loss,
    "self_similarity": self_similarity_loss,
    "cross_image": cross_image_relational_loss,
    "local_similarity": local_similarity_loss,
    "intra_class": lambda s, t: intra_class_variation_loss(s, t, LABELS),
}
DISTILLING = sorted(LOSSES.keys() - {"border_focal", "border_focal_published"})
HALVES = [torch.float16, torch.bfloat16]


def pair(dtype: torch.dtype = torch.float32, scale: float = 5.0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    student, teacher = (scale * torch.randn(SHAPE, generator=generator) for _ in range(2))
    return student.to(dtype).requires_grad_(), teacher.to(dtype)


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("name", LOSSES)
def test_half_inputs_give_the_fp32_value_of_the_same_numbers(name: str, dtype: torch.dtype) -> None:
    student, teacher = pair(dtype)
    value = LOSSES[name](student, teacher)
    assert value.dtype == torch.float32
    assert value.shape == ()
    torch.testing.assert_close(value, LOSSES[name](student.float(), teacher.float()), rtol=0, atol=0)


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("name", LOSSES)
def test_autocast_changes_nothing(name: str, dtype: torch.dtype) -> None:
    student, teacher = pair()
    expected = LOSSES[name](student, teacher)
    with torch.autocast("cpu", dtype=dtype):
        value = LOSSES[name](student, teacher)
    torch.testing.assert_close(value, expected, rtol=0, atol=0)


@pytest.mark.parametrize("name", LOSSES)
def test_extreme_half_inputs_give_finite_values_and_gradients(name: str) -> None:
    """±65504, the ends of FP16: any sum or square in half precision would overflow."""
    student, teacher = pair(torch.float16, scale=1e5)
    student = student.detach().clamp(-65504, 65504).requires_grad_()
    value = LOSSES[name](student, teacher.clamp(-65504, 65504))
    value.backward()
    assert torch.isfinite(value)
    assert student.grad is not None
    assert torch.isfinite(student.grad).all()


@pytest.mark.parametrize("name", DISTILLING)
def test_teacher_gets_no_gradient(name: str) -> None:
    student, teacher = pair()
    teacher.requires_grad_()
    LOSSES[name](student, teacher).backward()
    assert teacher.grad is None
    assert student.grad is not None
    assert student.grad.abs().sum() > 0


@pytest.mark.parametrize("name", LOSSES)
def test_double_precision_is_kept(name: str) -> None:
    assert LOSSES[name](*pair(torch.float64)).dtype == torch.float64
