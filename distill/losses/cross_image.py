"""Cross-image relational distillation: match which places of other images each place resembles.

Thesis ch. 2.4, after Yang et al., "Cross-image relational knowledge distillation for semantic segmentation"
(CIRKD), CVPR 2022; of its terms the one between the images of a batch. With f_p the vectors of an image's N
positions, brought to length 1, a row of similarities to another image becomes a distribution::

    r_ij(p) = softmax_q(f_ip·f_jq / T),     1/(B²·N) · Σ_i Σ_j Σ_p KL(r^teacher_ij(p) ‖ r^student_ij(p))

over all ordered pairs of the batch's B images, an image with itself among them: all there is in a batch of 1.
In distributed training the batch is that of all processes; the authors' code stays within a process. T = 0.1
is the authors'.

Beforehand, maps are averaged over k×k squares (at the edges over what is left), k the least that leaves at
most 32 on the longer side, so that N ≤ 1024; the authors average 2×2 or not at all. One image's rows, B·N²
numbers, are held at a time and made again in the backward pass.

Shapes: [B, C, H, W] both; C may differ, other shapes raise ValueError. Values lie in [0, 4/T]; the scale of
either map and the order of channels change nothing. A vector shorter than EPS = 1e-6 is divided by EPS
instead of its norm. The teacher gets no gradient.
"""

from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from distill.common.distributed import gather_over_processes
from distill.losses._common import check_same_size, in_full_precision
from distill.losses.lad import EPS

LONGEST_SIDE: Final[int] = 32


@in_full_precision
def cross_image_loss(student: Tensor, teacher: Tensor, temperature: float = 0.1) -> Tensor:
    """1/(B²·N) · Σ KL(r^T_ij(p) ‖ r^S_ij(p)) over ordered pairs of images i, j and positions p of i."""
    check_same_size(student, teacher)
    s, t = _directions(student), _directions(teacher.detach())
    all_s, all_t = gather_over_processes(s), gather_over_processes(t)
    divergences = [
        checkpoint(
            *(_divergence, s_i, all_s, t_i, all_t, temperature), use_reentrant=False, preserve_rng_state=False
        )
        for s_i, t_i in zip(s, t, strict=True)
    ]
    batch, positions, _ = s.shape
    return torch.stack(divergences).sum() / (batch * len(all_s) * positions)


def _directions(features: Tensor) -> Tensor:
    """[B, C, H, W] → [B, N, C], rows of norm 1."""
    square = -(-max(features.shape[2:]) // LONGEST_SIDE)
    pooled = F.avg_pool2d(features, square, ceil_mode=True)
    return F.normalize(pooled.flatten(2), dim=1, eps=EPS).transpose(1, 2)


def _divergence(s_i: Tensor, s: Tensor, t_i: Tensor, t: Tensor, temperature: float) -> Tensor:
    """Σ_j Σ_p KL of one image's [N, C] relations to all images' [B, N, C]."""
    log_student = F.log_softmax(s_i @ s.transpose(1, 2) / temperature, dim=2)
    log_teacher = F.log_softmax(t_i @ t.transpose(1, 2) / temperature, dim=2)
    return F.kl_div(log_student, log_teacher, reduction="sum", log_target=True)
