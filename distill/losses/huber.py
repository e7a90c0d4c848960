"""Huber feature distillation: squared difference where it is small, absolute where it is large.

Thesis ch. 2.4, after Huber, "Robust estimation of a location parameter", Annals of Mathematical Statistics
1964. With d = F^student − F^teacher::

    1/(B·C·H·W) · Σ h(d),     h(d) = d²/2 if |d| ≤ β, else β·(|d| − β/2)

β, in the unit of the features, is the key ``beta``; β = 1 by default. For large β this is half of L2, for
small β it is β·L1; :mod:`distill.losses.smooth_l1` is this divided by β.

Shapes: both [B, C, H, W]; others raise ValueError. Values lie in [0, ∞). The teacher gets no gradient.
"""

import torch.nn.functional as F
from torch import Tensor

from distill.losses._common import check_same_shape, in_full_precision


@in_full_precision
def huber_loss(student: Tensor, teacher: Tensor, beta: float = 1.0) -> Tensor:
    """Mean over B·C·H·W of d²/2 where |d| ≤ β, and of β·(|d| − β/2) elsewhere."""
    check_same_shape(student, teacher)
    return F.huber_loss(student, teacher.detach(), delta=beta)
