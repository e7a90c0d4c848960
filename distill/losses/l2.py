"""L2 feature distillation: mean squared difference of two feature maps.

Thesis eq. 3.6, after Romero et al., "FitNets: hints for thin deep nets", ICLR 2015::

    1/(B·C·H·W) · Σ (F^student − F^teacher)²

Shapes: both [B, C, H, W]; others raise ValueError. Values lie in [0, ∞). The teacher gets no gradient.
"""

import torch.nn.functional as F
from torch import Tensor

from distill.losses._common import check_same_shape, in_full_precision


@in_full_precision
def l2_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean over B·C·H·W of (F^S − F^T)² (thesis eq. 3.6)."""
    check_same_shape(student, teacher)
    return F.mse_loss(student, teacher.detach())
