"""PIDNet's training objective over its three heads.

With ``semantic`` the auxiliary head of the P branch, ``boundary`` the head of the D branch and z its logit::

    0.4·CE(semantic) + OHEM(logits) + 20·BCE(boundary) + OHEM(logits where sigmoid z > 0.8)

CE is, as in the authors' code, the sum of −log p_y over the labelled pixels divided by the number of all
pixels, ignored ones included. The authors weigh the classes of Cityscapes in CE and OHEM, by factors between
0.84 and 1.15; here all classes weigh the same.

The last term repeats the main one where the network itself sees a boundary. A network with an auxiliary
``semantic`` head alone (SFNet-Lite) has the first two terms. With another semantic loss the auxiliary heads
keep theirs (:func:`auxiliary_losses`).

Values lie in [0, ∞). Shapes: logits and semantic [B, C, H, W]; boundary [B, 1, H, W]; labels [B, H, W] int64,
0…C−1 or 255 (ignored).

Source: Xu et al., "PIDNet", CVPR 2023, eq. 5 and 6; weights as in the thesis.
"""

from collections.abc import Mapping
from functools import partial

import torch.nn.functional as F
from torch import Tensor

from distill.losses._common import in_full_precision
from distill.losses.boundary import boundary_loss
from distill.losses.ohem import KEEP, THRESHOLD, ohem_loss
from kd_seg_ros.common.classes import IGNORE_ID

AUXILIARY_WEIGHT = 0.4
BOUNDARY_WEIGHT = 20.0
BOUNDARY_CONFIDENCE = 0.8


def auxiliary_losses(auxiliary: Mapping[str, Tensor], labels: Tensor) -> dict[str, Tensor]:
    """Return the weighted terms of the heads that exist in training only, by name."""
    terms = {}
    if "semantic" in auxiliary:
        terms["auxiliary"] = AUXILIARY_WEIGHT * _cross_entropy(auxiliary["semantic"], labels)
    if "boundary" in auxiliary:
        terms["boundary"] = BOUNDARY_WEIGHT * boundary_loss(auxiliary["boundary"], labels)
    return terms


def pidnet_loss(
    logits: Tensor,
    auxiliary: Mapping[str, Tensor],
    labels: Tensor,
    threshold: float = THRESHOLD,
    keep: int = KEEP,
) -> dict[str, Tensor]:
    """Return the weighted terms by name; their sum is the objective.

    :param threshold: of both OHEM terms, as :func:`~distill.losses.ohem.ohem_loss` has it, like ``keep``.
    """
    ohem = partial(ohem_loss, logits, threshold=threshold, keep=keep)
    terms = {"ohem": ohem(labels), **auxiliary_losses(auxiliary, labels)}
    if "boundary" in auxiliary:
        seen = _is_boundary(auxiliary["boundary"])[:, 0]
        terms["ohem_at_boundary"] = ohem(labels.masked_fill(~seen, IGNORE_ID))
    return terms


@in_full_precision
def _is_boundary(logits: Tensor) -> Tensor:
    """Return where the boundary head is confident of a boundary; bool, of the shape of its logits."""
    return logits.detach().sigmoid() > BOUNDARY_CONFIDENCE


@in_full_precision
def _cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the sum of the labelled pixels' cross-entropy divided by the number of all pixels."""
    return F.cross_entropy(logits, labels, ignore_index=IGNORE_ID, reduction="sum") / labels.numel()
