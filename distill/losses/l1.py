"""L1 feature distillation: mean absolute difference of two feature maps.

Thesis ch. 2.4; of the distances between features the one that weighs a few large differences least::

    1/(B·C·H·W) · Σ |F^student − F^teacher|

Shapes: both [B, C, H, W]; others raise ValueError. Values lie in [0, ∞). Where both are equal the gradient is
0. The teacher gets no gradient.
"""

import torch.nn.functional as F
from torch import Tensor

from distill.losses._common import check_same_shape, in_full_precision


@in_full_precision
def l1_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean over B·C·H·W of |F^S − F^T|."""
    check_same_shape(student, teacher)
    return F.l1_loss(student, teacher.detach())
