"""Channel-wise angular distillation: match each channel's direction over the positions, not its length.

Equation 3.9 of the thesis (:mod:`distill.losses.lad`) for every channel separately. Norms are over H·W::

    1/(B·C) · Σ_b Σ_c ‖F^student_bc/‖F^student_bc‖ − F^teacher_bc/‖F^teacher_bc‖‖²

Shapes: both [B, C, H, W]; others raise ValueError. Values lie in [0, 4]; the scale of any channel changes
nothing. A channel shorter than EPS = 1e-6 is divided by EPS instead of its norm, so that the gradient of a
channel of zeros is finite, of norm at most 2/(EPS·B·C). The teacher gets no gradient.
"""

import torch.nn.functional as F
from torch import Tensor

from distill.losses._common import check_same_shape, in_full_precision
from distill.losses.lad import EPS


@in_full_precision
def cad_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """1/(B·C) · Σ_bc ‖F^S/‖F^S‖ − F^T/‖F^T‖‖², norms over H·W."""
    check_same_shape(student, teacher)
    student_direction = F.normalize(student.flatten(2), dim=2, eps=EPS)
    teacher_direction = F.normalize(teacher.detach().flatten(2), dim=2, eps=EPS)
    channels = student.shape[0] * student.shape[1]
    return F.mse_loss(student_direction, teacher_direction, reduction="sum") / channels
