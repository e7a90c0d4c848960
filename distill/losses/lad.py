"""Layer-wise angular distillation: match the direction of a feature map, not its length.

Thesis eq. 3.9, squared (as printed, a signed sum, it has no lower bound). Norms are over C·H·W::

    1/B · Σ_b ‖F^student_b/‖F^student_b‖ − F^teacher_b/‖F^teacher_b‖‖²  =  2 − 2·mean_b cos(F^S_b, F^T_b)

Shapes: both [B, C, H, W]; others raise ValueError. Values lie in [0, 4]; the scale of either map
changes nothing. A map shorter than EPS = 1e-6 is divided by EPS instead of its norm: a map of zeros
then has a finite gradient, of norm at most 2/EPS. The teacher gets no gradient.
"""

from typing import Final

import torch.nn.functional as F
from torch import Tensor

from distill.losses._common import check_same_shape, in_full_precision

EPS: Final[float] = 1e-6


@in_full_precision
def lad_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """1/B · Σ_b ‖F^S/‖F^S‖ − F^T/‖F^T‖‖² (thesis eq. 3.9, squared)."""
    check_same_shape(student, teacher)
    student_direction = F.normalize(student.flatten(1), dim=1, eps=EPS)
    teacher_direction = F.normalize(teacher.detach().flatten(1), dim=1, eps=EPS)
    difference = F.mse_loss(student_direction, teacher_direction, reduction="sum")
    return difference / student.shape[0]
