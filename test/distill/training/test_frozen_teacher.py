"""The frozen teacher: what it is kept out of, and in which precision it runs."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from architectures import SMALL_BACKBONE

from distill.models.build import build
from distill.models.output import Output
from distill.training.frozen_teacher import FrozenTeacher

IMAGE = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def teacher() -> Any:
    torch.manual_seed(0)
    return build("swiftnet", 19, backbone=SMALL_BACKBONE, channels=8).train()


def test_it_is_frozen_and_never_copied(teacher: torch.nn.Module) -> None:
    frozen = FrozenTeacher(teacher)
    assert copy.deepcopy(frozen) is frozen
    assert not teacher.training
    assert not any(parameter.requires_grad for parameter in teacher.parameters())


def test_its_outputs_may_enter_a_graph(teacher: torch.nn.Module) -> None:
    """Under inference_mode they could not."""
    output = FrozenTeacher(teacher)({"image": IMAGE})
    student = torch.randn_like(output.logits, requires_grad=True)
    (student * output.logits).sum().backward()
    assert torch.equal(student.grad, output.logits)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("precision", "dtype", "tolerance"),
    [
        ("32-true", torch.float32, 1e-5),
        ("64-true", torch.float64, 1e-5),
        ("bf16-mixed", torch.bfloat16, 0.2),
    ],
)
def test_it_runs_in_the_precision_of_training(
    teacher: torch.nn.Module, precision: str, dtype: torch.dtype, tolerance: float
) -> None:
    plain = FrozenTeacher(copy.deepcopy(teacher))({"image": IMAGE})
    frozen = FrozenTeacher(teacher)
    frozen.prepare(torch.device("cpu"), precision)
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16-mixed"):
        output = frozen({"image": IMAGE})
    assert output.logits.dtype == dtype
    assert next(teacher.parameters()).dtype == dtype
    torch.testing.assert_close(output.logits.float(), plain.logits, rtol=0, atol=tolerance)


def test_an_external_teacher_keeps_its_own_precision() -> None:
    class External(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution = torch.nn.Conv2d(3, 19, 1)

        def forward(self, image: torch.Tensor) -> Output:
            return Output(self.convolution(image), image[:, :0], {})

    frozen = FrozenTeacher(External())
    frozen.prepare(torch.device("cpu"), "16-mixed")
    assert frozen({"image": IMAGE}).logits.dtype == torch.float32
