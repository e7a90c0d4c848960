"""The networks of the thesis (its tables 4.2 and 4.3) by name, and what the thesis says of them.

Nothing heavy is imported here: :mod:`distill.models.build` makes a network from its name.
"""

from __future__ import annotations

from dataclasses import dataclass

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.suggest import did_you_mean

SWIFTNET = "swiftnet"
"""The one name that takes a timm backbone; the others stand for one network each."""


@dataclass(frozen=True)
class Thesis:
    """A network's row in the thesis."""

    name: str
    parameters: float
    """Millions."""
    fps: float
    """On an RTX 2080 Ti, batch 1, 1080×1920."""


@dataclass(frozen=True)
class Model:
    """A network that can be had by name."""

    name: str
    backbone: str
    """timm's name where the backbone is timm's."""
    thesis: Thesis | None = None
    counts_all: bool = False
    """Its published count includes what is at work in training only."""


_ROWS = (
    Model("swiftnet_resnet18", "resnet18", Thesis("SN-FPN-RN18", 16.7, 33)),
    Model("swiftnet_mobilenetv4_conv_medium", "mobilenetv4_conv_medium", Thesis("SN-FPN-MNv4", 13.2, 14)),
    Model("swiftnet_convnext_large", "convnext_large", Thesis("SN-FPN-ConvNeXt-L", 206.1, 4.8)),
    Model("pidnet_s", "PIDNet-S", Thesis("PIDNet-S", 7.6, 114)),
    Model("pidnet_m", "PIDNet-M", Thesis("PIDNet-M", 28.5, 59)),
    Model("pidnet_l", "PIDNet-L", Thesis("PIDNet-L", 36.9, 47)),
    Model("sfnet_resnet18", "resnet18, deep stem", Thesis("SF-RN18", 12.9, 34)),
    Model("sfnet_lite_resnet18", "resnet18, deep stem", Thesis("SF-lite-RN18", 12.3, 34), counts_all=True),
    Model("segformer_b0", "MiT-B0", Thesis("SegFormer-B0", 3.7, 25)),
    Model("segformer_b1", "MiT-B1"),
    Model("segformer_b2", "MiT-B2"),
    Model("segformer_b3", "MiT-B3"),
    Model("segformer_b4", "MiT-B4"),
    Model("segformer_b5", "MiT-B5"),
    Model("hrnetv2_w48", "hrnet_w48", Thesis("HRNetV2-W48", 66, 9.5)),
)
MODELS = {model.name: model for model in _ROWS}


def check_name(name: str) -> None:
    """Refuse a name that is neither in the catalogue nor :data:`SWIFTNET`, naming the nearest."""
    known = [SWIFTNET, *MODELS]
    if name in known:
        return
    advice = did_you_mean(name, known, 3) or f"; there are {', '.join(known)}"
    raise UserError(f"unknown model {name!r}{advice}")
