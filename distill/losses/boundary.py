"""Class-balanced binary cross-entropy of a boundary head.

A pixel is a boundary, y = 1, if the (2r+1)² window around it holds more than one label, r = 2: lines four
pixels wide (ignored regions count as one more label). With z the head's logit, P the number of boundary
pixels in the batch and N that of the others::

    1/(P + N) · Σ w·BCE(sigmoid z, y),     w = N/(P + N) where y = 1, P/(P + N) where y = 0

so that both kinds weigh the same in total, however few boundaries there are. Values lie in [0, ∞); 0 in an
image of one label.

Shapes: logits [B, 1, H, W]; labels [B, H, W] int64. Other shapes raise ValueError.

Source: Xie and Tu, "Holistically-nested edge detection", ICCV 2015; its use with factor 20 is that of Xu et
al., "PIDNet", CVPR 2023.
"""

import torch.nn.functional as F
from torch import Tensor

from distill.common.distributed import mean_over_processes
from distill.losses._common import check_per_pixel, in_full_precision

RADIUS = 2


def label_boundaries(labels: Tensor, radius: int = RADIUS) -> Tensor:
    """Mark the pixels of [B, H, W] whose window holds more than one label; bool [B, H, W]."""
    values = labels[:, None].float()
    size = 2 * radius + 1
    highest = F.max_pool2d(values, size, stride=1, padding=radius)
    lowest = -F.max_pool2d(-values, size, stride=1, padding=radius)
    return (highest != lowest)[:, 0]


@in_full_precision
def boundary_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Class-balanced binary cross-entropy between a boundary head and the labels' boundaries."""
    check_per_pixel(logits, labels=labels)
    target = label_boundaries(labels).to(logits.dtype)
    share = mean_over_processes(target.mean())
    weights = target * (1 - share) + (1 - target) * share
    return F.binary_cross_entropy_with_logits(logits[:, 0], target, weights)
