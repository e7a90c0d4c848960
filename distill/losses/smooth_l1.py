"""Smooth L1 feature distillation: the distance that whitened teacher features are compared by.

Thesis ch. 2.4, after Wei et al., "Contrastive learning rivals masked image modeling in fine-tuning via
feature distillation", arXiv 2205.14141, 2022, who give the teacher's features whitened
(:mod:`distill.losses.whitening`, the key ``whiten``) and the student's through a projector (``adapters``).
With d = F^student − F^teacher::

    1/(B·C·H·W) · Σ h(d),     h(d) = d²/(2β) if |d| ≤ β, else |d| − β/2

β, in the unit of the features, is the key ``beta``; β = 2 is the authors'.

Shapes: both [B, C, H, W]; others raise ValueError. Values lie in [0, ∞); the gradient of one difference lies
in ±1/(B·C·H·W). The teacher gets no gradient.
"""

import torch.nn.functional as F
from torch import Tensor

from distill.losses._common import check_same_shape, in_full_precision


@in_full_precision
def smooth_l1_loss(student: Tensor, teacher: Tensor, beta: float = 2.0) -> Tensor:
    """Mean over B·C·H·W of d²/(2β) where |d| ≤ β, and of |d| − β/2 elsewhere."""
    check_same_shape(student, teacher)
    return F.smooth_l1_loss(student, teacher.detach(), beta=beta)
