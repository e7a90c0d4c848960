"""Pair-wise (self-similarity) distillation as its authors' code computes it: between four nodes.

Thesis ch. 2.4, after Liu et al., "Structured knowledge distillation for semantic segmentation", CVPR 2019.
Their paper describes 2×2 pooling and λ = 10, :mod:`distill.losses.self_similarity`; their code pools the
whole map, by its maxima, to 2×2 nodes (at odd sides three, the last of them over the rest) and weighs by 0.5
(their script) to 1 (their default). With f_i the vectors of the N nodes, brought to length 1::

    1/(B·N²) · Σ_b Σ_i Σ_j (f^student_i·f^student_j − f^teacher_i·f^teacher_j)²

As in that code, the lengths count as constants in the gradient.

Shapes: [B, C, H, W] both; C may differ, other shapes raise ValueError; a side of one position stays one node.
Values lie in [0, 4]; the scale of either map and the order of channels change nothing. A vector shorter than
EPS = 1e-6 is divided by EPS instead of its norm. The teacher gets no gradient.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from distill.losses._common import check_same_size, in_full_precision
from distill.losses.lad import EPS


@in_full_precision
def self_similarity_nodes_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """1/(B·N²) · Σ (cos(f^S_i, f^S_j) − cos(f^T_i, f^T_j))² over all pairs of nodes."""
    check_same_size(student, teacher)
    return F.mse_loss(_similarities(student), _similarities(teacher.detach()))


def _similarities(features: Tensor) -> Tensor:
    """[B, C, H, W] → [B, N, N], the cosines between the nodes."""
    half = max(1, features.shape[2] // 2), max(1, features.shape[3] // 2)
    nodes = F.max_pool2d(features, half, ceil_mode=True).flatten(2)
    lengths = torch.linalg.vector_norm(nodes, dim=1, keepdim=True).detach().clamp(min=EPS)
    directions = nodes / lengths
    return directions.transpose(1, 2) @ directions
