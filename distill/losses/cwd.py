"""Channel-wise distillation: match where in the image each channel is active.

Thesis eqs. 3.7–3.8, after Shu et al., "Channel-wise knowledge distillation for dense prediction",
ICCV 2021. Each channel's activations become a distribution over the H·W positions::

    φ(F)_i = exp(F_i / T) / Σ_j exp(F_j / T)
    T²/(B·C) · Σ_b Σ_c KL(φ(F^teacher_bc) ‖ φ(F^student_bc))

Shapes: both [B, C, H, W], features or logits (on logits its authors use weight 3); others raise
ValueError. Values lie in [0, ∞); a constant added to a channel changes nothing. The teacher gets no
gradient.
"""

import torch.nn.functional as F
from torch import Tensor

from distill.losses._common import check_same_shape, in_full_precision


@in_full_precision
def cwd_loss(student: Tensor, teacher: Tensor, temperature: float = 4.0) -> Tensor:
    """T²/(B·C) · Σ KL(softmax_hw(F^T/T) ‖ softmax_hw(F^S/T)) (thesis eqs. 3.7–3.8)."""
    check_same_shape(student, teacher)
    log_student = F.log_softmax(student.flatten(2) / temperature, dim=2)
    log_teacher = F.log_softmax(teacher.detach().flatten(2) / temperature, dim=2)
    channels = student.shape[0] * student.shape[1]
    return temperature**2 / channels * F.kl_div(log_student, log_teacher, reduction="sum", log_target=True)
