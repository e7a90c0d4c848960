"""From a network's name to the network."""

from __future__ import annotations

import importlib
from typing import Any

from distill.models.catalogue import FAMILIES, MODELS, check_name
from distill.models.network import SegmentationNetwork
from distill.models.weights import RANDOM, Pretrained


def build(
    model: str,
    num_classes: int,
    *,
    backbone: str | None = None,
    channels: int | None = None,
    pretrained: Pretrained = RANDOM,
) -> SegmentationNetwork:
    """Make a network.

    :param model: a name of the catalogue; one of a family goes with a ``backbone`` of timm.
    :param channels: width of the decoder, for families only.
    :raises UserError: for an unknown name, an unusable backbone or weights that do not fit.
    """
    check_name(model)
    family = FAMILIES.get(model)
    if family is not None:
        assert backbone is not None
        own = {"backbone": backbone, "channels": channels or family.channels}
        return construct(family.network, num_classes, pretrained, **own)
    entry = MODELS[model]
    return construct(entry.network, num_classes, pretrained, **entry.arguments)


def construct(
    network: str, num_classes: int, pretrained: Pretrained = RANDOM, **arguments: Any
) -> SegmentationNetwork:
    """Make a network of a class that the catalogue names; only its module is imported.

    :param network: module and class below :mod:`distill.models`, for example ``pidnet.PidNet``.
    :param arguments: further arguments of the class.
    """
    return class_of(network)(num_classes=num_classes, pretrained=pretrained, **arguments)


def class_of(network: str) -> Any:
    """Return the class that the catalogue names ``network``; only its module is imported."""
    module, _, name = network.partition(".")
    return getattr(importlib.import_module(f"distill.models.{module}"), name)
