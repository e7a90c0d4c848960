"""From a network's name to the network."""

from __future__ import annotations

from distill.models.catalogue import MODELS, SWIFTNET, check_name
from distill.models.hrnet import HrNetV2
from distill.models.network import SegmentationNetwork
from distill.models.pidnet import PidNet
from distill.models.segformer import SegFormer
from distill.models.sfnet import SfNet
from distill.models.sfnet_lite import SfNetLite
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
    if model == SWIFTNET:
        assert backbone is not None
        return SwiftNet(backbone, num_classes, channels or SWIFTNET_CHANNELS, pretrained)
    family, _, variant = model.partition("_")
    if family == SWIFTNET:
        return SwiftNet(MODELS[model].backbone, num_classes, SWIFTNET_CHANNELS, pretrained)
    if family == "pidnet":
        return PidNet(variant, num_classes, pretrained)  # type: ignore[arg-type]
    if family == "segformer":
        return SegFormer(int(variant.removeprefix("b")), num_classes, pretrained)
    if family == "hrnetv2":
        return HrNetV2(MODELS[model].backbone, num_classes, pretrained)
    return (SfNetLite if variant.startswith("lite") else SfNet)(num_classes, pretrained)
