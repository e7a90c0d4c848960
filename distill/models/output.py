"""The output of every network, and how all of them pad, crop and upsample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from torch import Tensor
from torch.nn import functional as F

NOTHING: Mapping[str, Any] = MappingProxyType({})
"""An empty mapping that cannot be changed, for defaults."""


class Output(NamedTuple):
    """The output of a network for a batch of normalised images."""

    logits: Tensor
    """[B, C, H, W] at the size of the input image."""
    pre_logits: Tensor
    """[B, D, h, w], the map that the classifier head reads."""
    features: dict[str, Tensor]
    """Named maps for distillation, in the order of :attr:`strides`, of the padded image's size ÷ stride."""
    strides: Mapping[str, int] = NOTHING
    """Stride of each feature map, in pixels of the image; ``P8`` has stride 8."""
    auxiliary: Mapping[str, Tensor] = NOTHING
    """Outputs of heads that exist in training only, [B, c, H, W] at the size of the input image."""


Padding = tuple[int, int, int, int]
"""Left, right, top, bottom, in pixels."""


def pad_to_multiple(image: Tensor, multiple: int) -> tuple[Tensor, Padding]:
    """Pad [B, C, H, W] with zeros on all sides until H and W are multiples of ``multiple``.

    The padding is symmetric; where it is odd, the right and bottom get the extra pixel.
    """
    height, width = int(image.shape[-2]), int(image.shape[-1])
    extra_h, extra_w = -height % multiple, -width % multiple
    padding = (extra_w // 2, extra_w - extra_w // 2, extra_h // 2, extra_h - extra_h // 2)
    return (F.pad(image, padding) if any(padding) else image), padding


def crop_padding(padded: Tensor, padding: Padding) -> Tensor:
    """Cut off the margins that :func:`pad_to_multiple` has added.

    :param padded: [..., H, W].
    :param padding: what :func:`pad_to_multiple` returned.
    """
    left, right, top, bottom = padding
    height, width = int(padded.shape[-2]), int(padded.shape[-1])
    return padded[..., top : height - bottom, left : width - right]


def upsample(features: Tensor, size: Sequence[int], align_corners: bool = False) -> Tensor:
    """Resize [B, C, h, w] bilinearly to ``size`` = (H, W).

    :param align_corners: the centres of the corner pixels lie on one another; else the image's edges do.
    """
    return F.interpolate(features, size=tuple(size), mode="bilinear", align_corners=align_corners)
