"""Local similarity: match how much each pixel differs from its neighbours, as it does at class borders.

Thesis ch. 2.4, after Xie et al., "Improving fast segmentation with teacher-student learning", BMVC 2018
(their first-order knowledge, the consistency map). With N(i) the 8 neighbours of pixel i; at the edges of
the map, those that are there::

    c_i = Σ_{j ∈ N(i)} ‖F_i − F_j‖,     1/(B·H·W) · Σ_b Σ_i (c^student_i − c^teacher_i)²

Its authors use class probabilities, where c lies in [0, 8·√2] and the loss in [0, 128]; features will do,
the loss being in the square of their unit.

Shapes: [B, C, H, W] both; C may differ, other shapes raise ValueError. A vector added to all pixels and the
order of channels change nothing. Between equal neighbours the distance counts with gradient 0. The teacher
gets no gradient.
"""

import torch.nn.functional as F
from torch import Tensor
from torch.linalg import vector_norm

from distill.losses._common import check_same_size, in_full_precision

HALF_OF_THE_NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))
"""Offsets (y, x); their opposites are the other half."""


@in_full_precision
def local_similarity_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean over B·H·W of (c^S − c^T)², c the summed distance to the 8 neighbours."""
    check_same_size(student, teacher)
    return F.mse_loss(_distance_to_neighbours(student), _distance_to_neighbours(teacher.detach()))


def _distance_to_neighbours(features: Tensor) -> Tensor:
    """[B, C, H, W] → [B, H, W]. Each distance is computed once and added to both of its pixels."""
    height, width = features.shape[2:]
    total = features.new_zeros(features[:, 0].shape)
    for y, x in HALF_OF_THE_NEIGHBOURS:
        left, right = max(-x, 0), max(x, 0)
        pixels = features[:, :, : height - y, left : width - right]
        neighbours = features[:, :, y:, right : width - left]
        distance = vector_norm(neighbours - pixels, dim=1)
        total = total + F.pad(distance, (left, right, 0, y)) + F.pad(distance, (right, left, y, 0))
    return total
