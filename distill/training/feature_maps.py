"""The feature maps of a network by their names in a configuration: their shapes and what they cover.

A feature map covers the image and the padding around it: each network pads an image, equally at both sides,
to a multiple of its coarsest stride. So P8 of an image of 864 pixels has 108 cells in one network and 112,
from 16 pixels left of the image to 16 pixels right of it, in another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional as F

from distill.models.network import SegmentationNetwork
from distill.models.output import Output, Padding
from kd_seg_ros.common.classes import IGNORE_ID

OTHER_MAPS = ("pre_logits", "logits")
"""Maps that every network has next to its named features; a feature loss may be applied to them, too."""


class FeatureShape(NamedTuple):
    """Channels, height and width of the feature map of one image."""

    channels: int
    height: int
    width: int

    def __str__(self) -> str:
        return "×".join(map(str, self))


FeatureShapes: TypeAlias = Mapping[str, FeatureShape]


class FeatureMap(NamedTuple):
    """A feature map and which part of the image plane it covers."""

    values: Tensor
    """[B, C, h, w]."""
    padding: Padding
    """How far it reaches beyond the image: left, right, top, bottom, in pixels of the image."""
    image: tuple[int, int]
    """Height and width of the image, in pixels."""


def feature_map(output: Output, name: str) -> FeatureMap:
    """Return a map of a network's output by its name.

    :raises KeyError: if there is no such map.
    """
    height, width = int(output.logits.shape[-2]), int(output.logits.shape[-1])
    if name == "logits" or not output.strides:
        return FeatureMap(_values(output, name), (0, 0, 0, 0), (height, width))
    # All maps cover the same padded image, whose size is any map's size times its stride.
    any_map, stride = next(iter(output.strides.items()))
    map_height, map_width = output.features[any_map].shape[-2:]
    extra_h = int(map_height * stride) - height
    extra_w = int(map_width * stride) - width
    # As in pad_to_multiple, right and bottom get the odd pixel.
    padding = (extra_w // 2, extra_w - extra_w // 2, extra_h // 2, extra_h - extra_h // 2)
    return FeatureMap(_values(output, name), padding, (height, width))


def pad_labels(labels: Tensor, padding: Padding) -> Tensor:
    """Extend labels [B, H, W] by ignored pixels to the area that a map with this padding covers."""
    return F.pad(labels, padding, value=IGNORE_ID)


def feature_shapes(network: SegmentationNetwork, size: tuple[int, int]) -> dict[str, FeatureShape]:
    """Return the shapes that a network's maps have for an image of ``size`` (height, width), by name.

    A map has the padded image's size divided by its stride, so the smallest image that needs no padding is
    enough to find out all of them.
    """
    unit = network.padding_multiple
    training = network.training
    with torch.no_grad():
        smallest: Output = network.eval()(next(network.parameters()).new_zeros(1, 3, unit, unit))
    network.train(training)
    units = [-(-side // unit) for side in size]
    shapes = {}
    for name in (*network.strides, *OTHER_MAPS):
        channels, height, width = _values(smallest, name).shape[1:]
        shapes[name] = FeatureShape(channels, height * units[0], width * units[1])
    return shapes | {"logits": FeatureShape(shapes["logits"].channels, *size)}


def training_heads(network: SegmentationNetwork) -> list[str]:
    """Return the names of the outputs that a network has in training only, without computing any."""
    if not network.training_only:
        return []
    tensors = (*network.named_parameters(), *network.named_buffers())
    state = {name: torch.empty_like(tensor, device="meta") for name, tensor in tensors}
    # Two images, because after global pooling a single one would leave BatchNorm one value per channel.
    image = torch.empty(2, 3, network.padding_multiple, network.padding_multiple, device="meta")
    training = network.training
    output: Output = functional_call(network.train(), state, (image,))
    network.train(training)
    return list(output.auxiliary)


def _values(output: Output, name: str) -> Tensor:
    if name == "logits":
        return output.logits
    return output.pre_logits if name == "pre_logits" else output.features[name]
