"""Calls any loss of the catalogue on the same few tensors, for the tests that concern all of them."""

from __future__ import annotations

import torch
from torch import Tensor

from distill.config import ObjectiveConfig
from distill.losses.kinds import AdversarialLoss, FeatureLoss, LabelLoss, LogitLoss, Loss
from distill.models.discriminator import Discriminator

IGNORE = 255


def loss_value(
    loss: Loss, student: Tensor, teacher: Tensor, labels: Tensor, border_weights: Tensor
) -> Tensor:
    """Return a loss' value.

    :param student: [B, C, H, W], taken for logits, features or probabilities as the loss needs it.
    :param teacher: the same of the teacher.
    :param labels: int64 [B, H, W], 0…C−1 or 255 (ignored).
    :param border_weights: [B, H, W], ≥ 0, 0 where ignored.
    """
    classes = student.shape[1]
    if isinstance(loss, LabelLoss):
        heads = {"semantic": student / 2, "boundary": student[:, :1]} if loss.has_head_terms else {}
        objective = ObjectiveConfig()
        options = {name: getattr(objective, key) for name, key in loss.parameters.items()}
        terms = loss.main_and_head_terms(student, heads, labels, border_weights, options)
        return torch.stack(list(terms.values())).sum()
    if isinstance(loss, LogitLoss):
        pixel_weights = labels != IGNORE if loss.pixel_weights == "mask" else border_weights
        value: Tensor = loss.function(student, teacher, pixel_weights, 2.0)
        return value
    if isinstance(loss, FeatureLoss):
        return loss.compare(student, teacher, labels, classes)
    assert isinstance(loss, AdversarialLoss), f"say here how to call a {type(loss).__name__}"
    torch.manual_seed(0)
    at_least_single = torch.promote_types(student.dtype, torch.float32)
    discriminator = Discriminator(classes, width=4).to(at_least_single)
    image = torch.ones(len(student), 3, *student.shape[2:]).to(student.dtype)
    score: Tensor = loss.function(discriminator, student, image)
    return score


def assert_finite(value: Tensor, student: Tensor) -> None:
    """Fail unless a loss and its gradient for the student are finite."""
    value.backward()
    assert torch.isfinite(value)
    assert student.grad is not None
    assert torch.isfinite(student.grad).all()
