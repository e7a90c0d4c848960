"""Border-focal loss as its authors published it; the thesis changed its factor and its divisor.

Oršić and Šegvić, "Efficient semantic segmentation with pyramidal fusion", Pattern Recognition 2021. With p_y
the student's probability of the label, α the border weights, γ = 0.5 and N the number of labelled pixels::

    Σ α·exp(γ·(1 − p_y))·(−log p_y) / N

As in :mod:`distill.losses.border_focal` the factor exp(γ·(1 − p_y)) is a constant of the gradient. Values lie
in [0, ∞). Ignored pixels count nowhere, whatever their weight; with every pixel ignored the loss and its
gradient are 0.

Shapes: logits [B, C, H, W]; labels [B, H, W] int64, 0…C−1 or 255 (ignored); weights [B, H, W] ≥ 0,
see :func:`distill.data.border_weights.border_weights`. Other shapes raise ValueError.
"""

import torch.nn.functional as F
from torch import Tensor

from distill.losses._common import check_per_pixel, in_full_precision, quotient
from distill.losses.border_focal import error_probability
from kd_seg_ros.common.classes import IGNORE_ID


@in_full_precision
def border_focal_published_loss(
    logits: Tensor, labels: Tensor, weights: Tensor, gamma: float = 0.5, total: Tensor | None = None
) -> Tensor:
    """Σ α·exp(γ·(1 − p_y))·(−log p_y) / N, as published by the loss' authors.

    :param total: N of the whole batch, see :func:`distill.losses._common.quotient`.
    """
    check_per_pixel(logits, labels=labels, weights=weights)
    nll = F.cross_entropy(logits, labels, ignore_index=IGNORE_ID, reduction="none")
    factor = error_probability(nll).mul_(gamma).exp_()
    return quotient((weights * factor * nll).sum(), (labels != IGNORE_ID).sum(), total)
