"""KL divergence weighted towards class borders, where student and teacher differ most.

Thesis eq. 3.5: eq. 3.4 (:mod:`distill.losses.kl`) with the border weights α in place of the mask::

    T²·Σ α·KL(p^teacher ‖ p^student) / Σ α

Shapes: logits [B, C, H, W]; weights [B, H, W], 0 on ignored pixels, see
:func:`distill.data.border_weights.border_weights`. Values lie in [0, ∞); 0 where all weights are 0.
Other shapes raise ValueError.
"""

from torch import Tensor

from distill.losses.kl import weighted_kl


def kl_border_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    weights: Tensor,
    temperature: float | Tensor = 1.0,
    total: Tensor | None = None,
) -> Tensor:
    """T²·Σ α·KL(p^T ‖ p^S) / Σ α (thesis eq. 3.5).

    :param total: Σ α of the whole batch, see :func:`distill.losses._common.weighted_mean`.
    """
    return weighted_kl(student_logits, teacher_logits, weights, temperature, total)
