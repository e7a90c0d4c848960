"""The maps of a network by the names they have in a configuration: what they are and what they cover.

A feature map covers the image and the padding around it that the network needs, symmetric to a multiple
of pixels of its own. So P8 of an image of 864 pixels has 108 cells in one network and 112, from 16 pixels
left of the image to 16 pixels right of it, in another.
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
"""Maps beside the named features that a feature loss may be applied to."""


class FeatureShape(NamedTuple):
    """Of one image's map."""

    channels: int
    height: int
    width: int

    def __str__(self) -> str:
        return "×".join(map(str, self))


FeatureShapes: TypeAlias = Mapping[str, FeatureShape]


class FeatureMap(NamedTuple):
    """A map and where it lies."""

    values: Tensor
    """[B, C, h, w]."""
    padding: Padding
    """What it covers besides the image: left, right, top, bottom, in pixels of the image."""
    image: tuple[int, int]
    """Height and width of the image, in pixels."""


def feature_map(output: Output, name: str) -> FeatureMap:
    """Look up a map by name."""
    height, width = int(output.logits.shape[-2]), int(output.logits.shape[-1])
    if name == "logits" or not output.strides:
        return FeatureMap(_values(output, name), (0, 0, 0, 0), (height, width))
    any_map, stride = next(iter(output.strides.items()))
    padded_height, padded_width = (side * stride for side in output.features[any_map].shape[-2:])
    extra_h, extra_w = int(padded_height) - height, int(padded_width) - width
    # As pad_to_multiple does: the right and bottom get the odd pixel.
    padding = (extra_w // 2, extra_w - extra_w // 2, extra_h // 2, extra_h - extra_h // 2)
    return FeatureMap(_values(output, name), padding, (height, width))


def pad_labels(labels: Tensor, padding: Padding) -> Tensor:
    """Extend labels [B, H, W] by ignored pixels to what a map covers."""
    return F.pad(labels, padding, value=IGNORE_ID)


def feature_shapes(network: SegmentationNetwork, size: tuple[int, int]) -> dict[str, FeatureShape]:
    """Return the shapes that a network's maps will have for an image of ``size``, by name.

    Maps have the padded image's size ÷ their stride: the smallest image that needs no padding tells all.
    """
    unit = network.padding_multiple
    training = network.training
    with torch.no_grad():
        smallest: Output = network.eval()(next(network.parameters()).new_zeros(1, 3, unit, unit))
    network.train(training)
    units = [-(-side // unit) for side in size]
    shapes = {}
    for name in (*network.strides, *OTHER_MAPS):
        channels, height, width = (int(n) for n in _values(smallest, name).shape[1:])
        shapes[name] = FeatureShape(channels, height * units[0], width * units[1])
    return shapes | {"logits": FeatureShape(shapes["logits"].channels, *size)}


def training_heads(network: SegmentationNetwork) -> list[str]:
    """Return the names of a network's auxiliary outputs; it computes nothing and stays as it is."""
    if not network.training_only:
        return []
    tensors = (*network.named_parameters(), *network.named_buffers())
    state = {name: torch.empty_like(tensor, device="meta") for name, tensor in tensors}
    # Two images, because BatchNorm refuses one value a channel, as there is behind global pooling.
    image = torch.empty(2, 3, network.padding_multiple, network.padding_multiple, device="meta")
    training = network.training
    output: Output = functional_call(network.train(), state, (image,))
    network.train(training)
    return list(output.auxiliary)


def _values(output: Output, name: str) -> Tensor:
    if name == "logits":
        return output.logits
    return output.pre_logits if name == "pre_logits" else output.features[name]
