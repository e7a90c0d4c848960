"""Attention transfer by the largest channel: match where any one channel is strong.

Thesis ch. 2.4, after Zagoruyko and Komodakis, "Paying more attention to attention", ICLR 2017, their
F^p_max; next to their mean over the channels, :mod:`distill.losses.attention_transfer`. A map's attention is
a vector over the H·W positions, of length 1::

    a_i = max_c |F_ci|^p,     1/(B·H·W) · Σ_b ‖a^student_b/‖a^student_b‖ − a^teacher_b/‖a^teacher_b‖‖²

p is the key ``power``, 2 by default. Of several channels that are largest, all get the same gradient.

Shapes: [B, C, H, W] both; C may differ, other shapes raise ValueError; p ≥ 1. Values lie in [0, 2/(H·W)]. The
scale, sign and order of channels change nothing. Attention shorter than EPS = 1e-12 is divided by EPS instead
of its norm; at zero its gradient is 0. The teacher gets no gradient.
"""

import torch.nn.functional as F
from torch import Tensor

from distill.losses._common import check_same_size, in_full_precision
from distill.losses.attention_transfer import EPS


@in_full_precision
def attention_transfer_max_loss(student: Tensor, teacher: Tensor, power: float = 2.0) -> Tensor:
    """Mean over B·H·W of the squared difference of the largest channels, each map of norm 1."""
    check_same_size(student, teacher)
    return F.mse_loss(_attention(student, power), _attention(teacher.detach(), power))


def _attention(features: Tensor, power: float) -> Tensor:
    """[B, C, H, W] → [B, H·W], rows of norm 1."""
    return F.normalize(features.abs().amax(dim=1).pow(power).flatten(1), dim=1, eps=EPS)
