"""Knowledge distillation of the class probabilities: mean KL divergence over the labelled pixels.

Thesis eq. 3.4, after Hinton et al., "Distilling the knowledge in a neural network", 2015. With p the
softmax over classes of logits / T and M the mask of pixels that count::

    T²·Σ M·KL(p^teacher ‖ p^student) / Σ M,     KL(p ‖ q) = Σ_c p_c·(log p_c − log q_c)

T² keeps the gradient's size independent of T. Values lie in [0, ∞): 0 where the two distributions
agree, and 0 with gradient 0 where the mask is empty. The teacher gets no gradient.

Shapes: logits [B, C, H, W]; mask [B, H, W], bool or 0/1. Other shapes raise ValueError.
T is a number or a scalar tensor, which then gets a gradient too.
"""

import torch.nn.functional as F
from torch import Tensor

from distill.losses._common import check_per_pixel, check_same_shape, in_full_precision, weighted_mean


def kl_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    mask: Tensor,
    temperature: float | Tensor = 1.0,
    total: Tensor | None = None,
) -> Tensor:
    """T²·Σ M·KL(p^T ‖ p^S) / Σ M (thesis eq. 3.4).

    :param total: Σ M of the whole batch, see :func:`distill.losses._common.weighted_mean`.
    """
    return weighted_kl(student_logits, teacher_logits, mask, temperature, total)


@in_full_precision
def weighted_kl(
    student_logits: Tensor,
    teacher_logits: Tensor,
    weights: Tensor,
    temperature: float | Tensor,
    total: Tensor | None = None,
) -> Tensor:
    """T²·Σ w·KL(p^T ‖ p^S) / Σ w for any weights [B, H, W] ≥ 0.

    :param total: Σ w of the whole batch, see :func:`distill.losses._common.weighted_mean`.
    """
    check_same_shape(student_logits, teacher_logits)
    check_per_pixel(student_logits, weights=weights)
    student = F.log_softmax(student_logits / temperature, dim=1)
    teacher = F.log_softmax(teacher_logits.detach() / temperature, dim=1)
    divergence = F.kl_div(student, teacher, reduction="none", log_target=True).sum(dim=1)
    return temperature**2 * weighted_mean(divergence, weights.to(divergence.dtype), total)
