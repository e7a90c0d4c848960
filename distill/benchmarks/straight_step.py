"""A distillation step written straight from the equations; the engine's step is measured against it.

The same losses (border-focal, KL, CWD on every map), each straight from its equation, softmax and
logarithm apart, one map at a time, the teacher in the student's precision and memory layout.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from distill.models.output import Output
from kd_seg_ros.common.classes import IGNORE_ID


def straight_step(
    student: nn.Module,
    teacher: nn.Module,
    optimizer: torch.optim.Optimizer,
    batch: Mapping[str, Tensor],
    half: bool,
) -> Tensor:
    """Take one step; return the loss."""
    image = batch["image"]
    with torch.autocast(image.device.type, torch.float16, enabled=half):
        of_student = student(image)
        with torch.no_grad():
            of_teacher = teacher(image)
    loss = straight_loss(of_student, of_teacher, batch)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


def straight_loss(student: Output, teacher: Output, batch: Mapping[str, Tensor]) -> Tensor:
    """½·border-focal + ½·KL + CWD (equations 3.2 to 3.4, 3.7 and 3.8)."""
    total = 0.5 * border_focal(student.logits, batch["labels"], batch["weights"])
    total = total + 0.5 * kl(student.logits, teacher.logits, batch["labels"] != IGNORE_ID)
    maps = student.features
    for name, features in maps.items():
        total = total + cwd(features, teacher.features[name]) / len(maps)
    return total


def border_focal(logits: Tensor, labels: Tensor, weights: Tensor, gamma: float = 0.5) -> Tensor:
    """Σ α·(1 − p_y)^γ·(−log p_y) / Σ α, the focal factor detached."""
    probabilities = torch.softmax(logits.float(), dim=1)
    known = labels != IGNORE_ID
    of_label = probabilities.gather(1, labels.where(known, torch.zeros_like(labels))[:, None])[:, 0]
    of_label = of_label.clamp(min=1e-12)
    loss = weights * (1 - of_label.detach()) ** gamma * -torch.log(of_label) * known
    return loss.sum() / (weights * known).sum()


def kl(student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
    """Σ M·KL(p^T ‖ p^S) / Σ M."""
    p, q = torch.softmax(teacher.float(), dim=1), torch.softmax(student.float(), dim=1)
    divergence = (p * (torch.log(p.clamp(min=1e-12)) - torch.log(q.clamp(min=1e-12)))).sum(dim=1)
    return (divergence * mask).sum() / mask.sum()


def cwd(student: Tensor, teacher: Tensor, temperature: float = 4.0) -> Tensor:
    """T²/(B·C) · Σ KL(softmax_hw(F^T/T) ‖ softmax_hw(F^S/T))."""
    p = torch.softmax(teacher.float().flatten(2) / temperature, dim=2)
    q = torch.softmax(student.float().flatten(2) / temperature, dim=2)
    divergence = (p * (torch.log(p.clamp(min=1e-12)) - torch.log(q.clamp(min=1e-12)))).sum()
    return temperature**2 * divergence / (student.shape[0] * student.shape[1])
