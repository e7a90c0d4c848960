"""Pair-wise (self-similarity) distillation: match how alike every two places of an image look.

Thesis ch. 2.4, after Liu et al., "Structured knowledge distillation for semantic segmentation", CVPR 2019.
Maps are max-pooled 2×2 (at odd edges over what is left), every position's vector is brought to length 1,
and with f_i the N vectors of an image::

    1/(B·N²) · Σ_b Σ_i Σ_j (f^student_i·f^student_j − f^teacher_i·f^teacher_j)²

The N×N similarities are never made: with F the C×N matrix of the vectors, the sum over i and j is
‖F^S·F^Sᵀ‖² − 2·‖F^S·F^Tᵀ‖² + ‖F^T·F^Tᵀ‖², whose matrices are C×C. As nearly equal numbers are subtracted
there, this part is computed in FP64.

Shapes: [B, C, H, W] both; C may differ, other shapes raise ValueError. Values lie in [0, 4], up to
rounding; the scale of either map and the order of channels change nothing. A vector shorter than EPS = 1e-6
is divided by EPS instead of its norm. The teacher gets no gradient.
"""

import torch.nn.functional as F
from torch import Tensor

from distill.losses._common import check_same_size, in_full_precision
from distill.losses.lad import EPS


@in_full_precision
def self_similarity_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """1/(B·N²) · Σ (cos(f^S_i, f^S_j) − cos(f^T_i, f^T_j))² over all pairs of pooled positions."""
    check_same_size(student, teacher)
    s, t = _directions(student), _directions(teacher.detach())
    total = _squared_norm(s, s) - 2 * _squared_norm(s, t) + _squared_norm(t, t)
    batch, _, positions = s.shape
    return (total / (batch * positions**2)).to(student.dtype)


def _directions(features: Tensor) -> Tensor:
    """[B, C, H, W] → [B, C, N] in FP64, columns of norm 1."""
    pooled = F.max_pool2d(features, 2, ceil_mode=True)
    return F.normalize(pooled, dim=1, eps=EPS).flatten(2).double()


def _squared_norm(a: Tensor, b: Tensor) -> Tensor:
    """Return Σ_n ‖a_n·b_nᵀ‖² over the images n, for a and b [B, C, N]."""
    return (a @ b.transpose(1, 2)).square().sum()
