"""Cross-entropy of the student's class probabilities with the labels, every labelled pixel alike.

With p_y the student's probability of the label, over the labelled pixels::

    mean −log p_y

Values lie in [0, ∞); with every pixel ignored the loss and its gradient are 0.

Shapes: logits [B, C, H, W]; labels [B, H, W] int64, 0…C−1 or 255 (ignored). Other shapes raise ValueError.

Source: Shelhamer et al., "Fully Convolutional Networks for Semantic Segmentation", CVPR 2015.
"""

import torch.nn.functional as F
from torch import Tensor

from distill.losses._common import check_per_pixel, in_full_precision, quotient
from kd_seg_ros.common.classes import IGNORE_ID


@in_full_precision
def cross_entropy_loss(
    logits: Tensor,
    labels: Tensor,
    weights: Tensor | None = None,  # noqa: ARG001
    total: Tensor | None = None,
) -> Tensor:
    """Mean −log p_y over the labelled pixels.

    :param weights: border weights, which count for nothing here; every loss on the labels is given them.
    :param total: number of labelled pixels of the whole batch, see :func:`distill.losses._common.quotient`.
    """
    check_per_pixel(logits, labels=labels)
    sum_of_all = F.cross_entropy(logits, labels, ignore_index=IGNORE_ID, reduction="sum")
    return quotient(sum_of_all, (labels != IGNORE_ID).sum(), total)
