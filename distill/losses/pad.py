"""Pixel-wise angular distillation: match the direction of each pixel's feature vector, not its length.

Equation 3.9 of the thesis (:mod:`distill.losses.lad`) for every pixel separately. Norms are over C::

    1/(B·H·W) · Σ_b Σ_i ‖F^student_bi/‖F^student_bi‖ − F^teacher_bi/‖F^teacher_bi‖‖²

Shapes: both [B, C, H, W]; others raise ValueError. Values lie in [0, 4]; the scale of any pixel changes
nothing. A vector shorter than EPS = 1e-6 is divided by EPS instead of its norm, so that the gradient of a
pixel of zeros is finite, of norm at most 2/(EPS·B·H·W). The teacher gets no gradient.
"""

import torch.nn.functional as F
from torch import Tensor

from distill.losses._common import check_same_shape, in_full_precision
from distill.losses.lad import EPS


@in_full_precision
def pad_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """1/(B·H·W) · Σ_bi ‖F^S/‖F^S‖ − F^T/‖F^T‖‖², norms over C."""
    check_same_shape(student, teacher)
    student_direction = F.normalize(student, dim=1, eps=EPS)
    teacher_direction = F.normalize(teacher.detach(), dim=1, eps=EPS)
    pixels = student[:, 0].numel()
    return F.mse_loss(student_direction, teacher_direction, reduction="sum") / pixels
