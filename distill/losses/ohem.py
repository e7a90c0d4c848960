"""Cross-entropy over the hardest pixels only (online hard example mining, OHEM).

With p_y the student's probability of the label, the loss is the mean of −log p_y over the labelled pixels
that are hard, p_y < 0.9; where these are fewer than 131 072, over that many of the hardest (over all, if
there are fewer still)::

    mean { −log p_y : p_y < max(threshold, the keep-th smallest p_y) }

Pixels are chosen from the whole batch, in distributed training that of all processes. Values lie in [0, ∞);
with every pixel ignored the loss and its gradient are 0.

Shapes: logits [B, C, H, W]; labels [B, H, W] int64, 0…C−1 or 255 (ignored). Other shapes raise ValueError.

Source: Shrivastava et al., "Training region-based object detectors with online hard example mining",
CVPR 2016; threshold and number as in Xu et al., "PIDNet", CVPR 2023, and the thesis.
"""

import math

import torch.nn.functional as F
from torch import Tensor

from distill.common.distributed import gather_over_processes
from distill.losses._common import check_per_pixel, in_full_precision, quotient
from kd_seg_ros.common.classes import IGNORE_ID

THRESHOLD = 0.9
KEEP = 131_072


@in_full_precision
def ohem_loss(
    logits: Tensor,
    labels: Tensor,
    weights: Tensor | None = None,  # noqa: ARG001
    threshold: float = THRESHOLD,
    keep: int = KEEP,
) -> Tensor:
    """Mean −log p_y over pixels with p_y < ``threshold``, and over no fewer than ``keep`` pixels.

    :param weights: border weights, which count for nothing here; every loss on the labels is given them.
    """
    check_per_pixel(logits, labels=labels)
    nll = F.cross_entropy(logits, labels, ignore_index=IGNORE_ID, reduction="none")
    labelled = labels != IGNORE_ID
    hardness = nll.detach().masked_fill(~labelled, -math.inf)
    # The batch's hardest are among the hardest of its parts.
    hardest = _highest(gather_over_processes(_highest(hardness.flatten(), keep)), keep)
    # p_y < threshold and −log p_y > −log threshold are the same. Not `>=`: a NaN must be seen in the loss.
    chosen = labelled & ~(hardness < hardest.min().clamp(max=-math.log(threshold)))
    return quotient(nll.masked_fill(~chosen, 0).sum(), chosen.sum())


def _highest(values: Tensor, count: int) -> Tensor:
    """Return the ``count`` highest of [n], or all if there are fewer, in any order."""
    return values.topk(min(count, len(values)), sorted=False).values
