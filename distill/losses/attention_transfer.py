"""Attention transfer: match where the features are strong, over all channels together.

Thesis ch. 2.4, after Zagoruyko and Komodakis, "Paying more attention to attention", ICLR 2017. A map's
attention is the mean of its channels' p-th power, as a vector over the H·W positions, of length 1::

    a_i = 1/C · Σ_c |F_ci|^p,     1/(B·H·W) · Σ_b ‖a^student_b/‖a^student_b‖ − a^teacher_b/‖a^teacher_b‖‖²

p is the key ``power``; p = 2 is the one the authors settle on, larger p look more at the strongest places.
Their attention by the largest channel is :mod:`distill.losses.attention_transfer_max`.

Shapes: [B, C, H, W] both; C may differ, other shapes raise ValueError; p ≥ 1. Values lie in [0, 2/(H·W)]:
small, and smaller for larger maps; the authors' code weighs it by 1000. The scale, sign and order of channels
change nothing. Attention shorter than EPS = 1e-12 (features below about 1e-6 for p = 2) is divided by EPS
instead of its norm; at zero its gradient is 0. The teacher gets no gradient.
"""

from typing import Final

import torch.nn.functional as F
from torch import Tensor

from distill.losses._common import check_same_size, in_full_precision

EPS: Final[float] = 1e-12


@in_full_precision
def attention_transfer_loss(student: Tensor, teacher: Tensor, power: float = 2.0) -> Tensor:
    """Mean over B·H·W of the squared difference of the attention maps, each of norm 1."""
    check_same_size(student, teacher)
    return F.mse_loss(_attention(student, power), _attention(teacher.detach(), power))


def _attention(features: Tensor, power: float) -> Tensor:
    """[B, C, H, W] → [B, H·W], rows of norm 1."""
    return F.normalize(features.abs().pow(power).mean(dim=1).flatten(1), dim=1, eps=EPS)
