"""Border-focal loss: cross-entropy that weighs pixels by nearness to a class border and by difficulty.

Thesis eq. 3.3, with p_y the student's probability of the label, α the border weights and γ = 0.5::

    Σ α·(1 − p_y)^γ·(−log p_y) / Σ α

Its authors published another form (:mod:`distill.losses.border_focal_published`). The factor (1 − p_y)^γ is a
constant of the gradient: with γ < 1 it has no finite derivative at p_y = 1. Values lie in [0, ∞). Ignored
pixels count nowhere, whatever their weight; with every pixel ignored the loss and its gradient are 0.

Shapes: logits [B, C, H, W]; labels [B, H, W] int64, 0…C−1 or 255 (ignored); weights [B, H, W] ≥ 0,
see :func:`distill.data.border_weights.border_weights`. Other shapes raise ValueError.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from distill.losses._common import check_per_pixel, in_full_precision, weighted_mean
from kd_seg_ros.common.classes import IGNORE_ID


@in_full_precision
def border_focal_loss(
    logits: Tensor, labels: Tensor, weights: Tensor, gamma: float = 0.5, total: Tensor | None = None
) -> Tensor:
    """Σ α·(1 − p_y)^γ·(−log p_y) / Σ α (thesis eq. 3.3).

    :param total: Σ α of the whole batch, see :func:`distill.losses._common.weighted_mean`.
    """
    check_per_pixel(logits, labels=labels, weights=weights)
    nll = F.cross_entropy(logits, labels, ignore_index=IGNORE_ID, reduction="none")
    factor = error_probability(nll).pow_(gamma)
    return weighted_mean(factor * nll, weights * (labels != IGNORE_ID), total)


def error_probability(nll: Tensor) -> Tensor:
    """Return 1 − p_y from −log p_y, without cancellation and without gradient."""
    return torch.expm1(-nll.detach()).neg_().clamp_(min=0)
