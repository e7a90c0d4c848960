"""From a network's name to the network."""

from __future__ import annotations

from distill.models.catalogue import MODELS, SWIFTNET, check_name
from distill.models.network import SegmentationNetwork
from distill.models.swiftnet import SwiftNet
from distill.models.weights import RANDOM, Pretrained

SWIFTNET_CHANNELS = 320
"""Width of the thesis' pyramids."""


def build(
    model: str,
    num_classes: int,
    *,
    backbone: str | None = None,
    channels: int | None = None,
    pretrained: Pretrained = RANDOM,
) -> SegmentationNetwork:
    """Make a network.

    :param model: a name of the catalogue, or ``swiftnet`` with a ``backbone`` of timm.
    :param channels: width of SwiftNet's pyramid.
    :raises UserError: for an unknown name, an unusable backbone or weights that do not fit.
    """
    check_name(model)
    family = model.partition("_")[0]
    if family == SWIFTNET:
        name = backbone if model == SWIFTNET else MODELS[model].backbone
        assert name is not None
        return SwiftNet(name, num_classes, channels or SWIFTNET_CHANNELS, pretrained)
    raise NotImplementedError(model)
