"""The networks that tests of every architecture run on, taken from the catalogue.

A network that is added to the catalogue is in :data:`SMALLEST`, and so in these tests, without another line.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from torch import nn

from distill.models import deep_stem_resnet, mit, pidnet
from distill.models.build import construct
from distill.models.catalogue import MODELS
from distill.models.network import SegmentationNetwork
from distill.models.timm_backbone import create_backbone
from distill.models.weights import Pretrained

SMALL_BACKBONE = "test_efficientnet"
"""The smallest of timm's with stages at strides 4, 8, 16 and 32, made for tests: 56 layers. What a test costs
grows with their number, above all where a network is exported."""


def _smallest_of_each_class() -> list[str]:
    smallest: dict[str, str] = {}
    for name, model in MODELS.items():
        other = smallest.setdefault(model.network, name)
        if model.deployed_parameters < MODELS[other].deployed_parameters:
            smallest[model.network] = name
    return list(smallest.values())


SMALLEST = _smallest_of_each_class()
"""Names of the networks with the fewest parameters of each class."""

SMALLER: dict[str, dict[str, Any]] = {
    "swiftnet.SwiftNet": {"backbone": SMALL_BACKBONE, "channels": 64},
    "hrnet.HrNetV2": {"backbone": "hrnet_w18_small"},
    "fpn_lite.FpnLite": {"backbone": SMALL_BACKBONE, "channels": 32},
}
"""Arguments that make a class smaller than anything of it in the catalogue, where that saves minutes."""


def shallow_backbone(_: str, pretrained: Pretrained, options: dict[str, Any]) -> tuple[nn.Module, list[int]]:
    """timm's ResNet with the widths of ResNet18 and one block a stage, in place of ResNet18's two."""
    return create_backbone("resnet10t", pretrained, options)


def small_network(name: str, num_classes: int) -> SegmentationNetwork:
    """Make a network of the catalogue, or a smaller one of the same class with the same kinds of blocks."""
    model = MODELS[name]
    arguments = SMALLER.get(model.network, model.arguments)
    with pytest.MonkeyPatch.context() as patch:
        for size, values in pidnet.SIZES.items():
            patch.setitem(pidnet.SIZES, size, replace(values, blocks=1, deep_blocks=1))
        shallow = [replace(variant, depths=(1, 1, 1, 1)) for variant in mit.VARIANTS]
        patch.setattr(mit, "VARIANTS", tuple(shallow))
        patch.setattr(deep_stem_resnet, "create_backbone", shallow_backbone)
        return construct(model.network, num_classes, **arguments)
