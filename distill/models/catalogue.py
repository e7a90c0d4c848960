"""The catalogue of networks: each is named, described and constructed from one entry here.

Configuration, error messages, ``kd_seg models``, the benchmarks and the tests iterate over :data:`MODELS`.
Nothing heavy is imported: :mod:`distill.models.build` makes a network from its entry.

Counts are stored, so that listing the networks needs no PyTorch; a test computes them again
(:mod:`distill.models.complexity`) and compares.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.suggest import did_you_mean

CAMERA_SIZE: Final = (1080, 1920)
"""Height and width of the camera image that operations are counted for."""

SWIFTNET: Final = "swiftnet"
"""SwiftNet-FPN over any timm backbone."""
SWIFTNET_CHANNELS: Final = 320
"""Width of SwiftNet's pyramid unless another is given, that of the thesis."""


@dataclass(frozen=True)
class ThesisRow:
    """A network's row in the thesis (its Tables 4.2 and 4.3)."""

    name: str
    """What the thesis calls the network."""
    parameters: float
    """Number of parameters in millions."""
    fps: float
    """Images per second on an RTX 2080 Ti, batch 1, 1080×1920."""


@dataclass(frozen=True)
class Family:
    """Networks of one class over any timm backbone with stages at strides 4, 8, 16 and 32."""

    network: str
    """Module and class below :mod:`distill.models`."""
    channels: int
    """Width of the decoder unless another is given."""
    pools_image: bool = False
    """As :attr:`Model.pools_image`."""


FAMILIES: Final[Mapping[str, Family]] = {
    SWIFTNET: Family("swiftnet.SwiftNet", SWIFTNET_CHANNELS),
    "fpn_lite": Family("fpn_lite.FpnLite", 96, pools_image=True),
}
"""The names that need a backbone next to them; those of :data:`MODELS` stand for one network each."""


@dataclass(frozen=True)
class Model:
    """A network that can be had by name."""

    name: str
    """The name in configurations, on the command line and in tables."""
    network: str
    """Module and class below :mod:`distill.models`, for example ``pidnet.PidNet``."""
    arguments: Mapping[str, Any]
    """What the class is called with, in addition to the number of classes and the weights to start from."""
    backbone: str
    """The backbone in words; timm's name where it is one of timm's."""
    deployed_parameters: int
    """Number of parameters in the exported file, for 19 classes."""
    gflops: float
    """10⁹ floating-point operations for one image of :data:`CAMERA_SIZE`, counted as described in
    :class:`distill.models.complexity.Complexity`."""
    training_only_parameters: int = 0
    """Number of parameters of heads that exist in training only, for 19 classes."""
    counts_all: bool = False
    """Whether the published number of parameters includes the training-only ones."""
    pools_image: bool = False
    """Whether a BatchNorm sees the image pooled to one pixel, so that training needs two images per batch."""
    thesis: ThesisRow | None = None
    """The network's row in the thesis; None if the thesis does not have it."""

    @property
    def parameters(self) -> int:
        """Number of parameters as published: those deployed, and with ``counts_all`` all of them."""
        return self.deployed_parameters + (self.training_only_parameters if self.counts_all else 0)

    def row(self) -> dict[str, Any]:
        """Return what is known of the network as plain values, for a table or for JSON."""
        thesis = self.thesis
        return {
            "name": self.name,
            "backbone": self.backbone,
            "parameters": self.parameters,
            "deployed_parameters": self.deployed_parameters,
            "training_only_parameters": self.training_only_parameters,
            "gflops": self.gflops,
            "thesis_name": thesis.name if thesis else None,
            "thesis_parameters": round(thesis.parameters * 1e6) if thesis else None,
            "thesis_fps": thesis.fps if thesis else None,
        }


_MODELS = (
    Model(
        "swiftnet_resnet18",
        "swiftnet.SwiftNet",
        {"backbone": "resnet18"},
        backbone="resnet18",
        deployed_parameters=16_746_451,
        gflops=564.9,
        thesis=ThesisRow("SN-FPN-RN18", 16.7, 33),
    ),
    Model(
        "swiftnet_mobilenetv4_conv_medium",
        "swiftnet.SwiftNet",
        {"backbone": "mobilenetv4_conv_medium"},
        backbone="mobilenetv4_conv_medium",
        deployed_parameters=13_162_787,
        gflops=447.4,
        thesis=ThesisRow("SN-FPN-MNv4", 13.2, 14),
    ),
    Model(
        "swiftnet_convnext_large",
        "swiftnet.SwiftNet",
        {"backbone": "convnext_large"},
        backbone="convnext_large",
        deployed_parameters=203_632_723,
        gflops=4358.8,
        thesis=ThesisRow("SN-FPN-ConvNeXt-L", 206.1, 4.8),
    ),
    Model(
        "pidnet_s",
        "pidnet.PidNet",
        {"variant": "s"},
        backbone="PIDNet-S",
        deployed_parameters=7_625_715,
        training_only_parameters=95_220,
        gflops=94.0,
        pools_image=True,
        thesis=ThesisRow("PIDNet-S", 7.6, 114),
    ),
    Model(
        "pidnet_m",
        "pidnet.PidNet",
        {"variant": "m"},
        backbone="PIDNet-M",
        deployed_parameters=28_538_515,
        training_only_parameters=224_596,
        gflops=353.3,
        pools_image=True,
        thesis=ThesisRow("PIDNet-M", 28.5, 59),
    ),
    Model(
        "pidnet_l",
        "pidnet.PidNet",
        {"variant": "l"},
        backbone="PIDNet-L",
        deployed_parameters=36_939_571,
        training_only_parameters=374_740,
        gflops=547.7,
        pools_image=True,
        thesis=ThesisRow("PIDNet-L", 36.9, 47),
    ),
    Model(
        "sfnet_resnet18",
        "sfnet.SfNet",
        {},
        backbone="resnet18, deep stem",
        deployed_parameters=12_869_715,
        gflops=484.0,
        pools_image=True,
        thesis=ThesisRow("SF-RN18", 12.9, 34),
    ),
    Model(
        "sfnet_lite_resnet18",
        "sfnet_lite.SfNetLite",
        {},
        backbone="resnet18, deep stem",
        deployed_parameters=12_079_863,
        training_only_parameters=216_211,
        counts_all=True,
        gflops=354.5,
        pools_image=True,
        thesis=ThesisRow("SF-lite-RN18", 12.3, 34),
    ),
    Model(
        "segformer_b0",
        "segformer.SegFormer",
        {"variant": 0},
        backbone="MiT-B0",
        deployed_parameters=3_719_027,
        gflops=194.7,
        thesis=ThesisRow("SegFormer-B0", 3.7, 25),
    ),
    Model(
        "segformer_b1",
        "segformer.SegFormer",
        {"variant": 1},
        backbone="MiT-B1",
        deployed_parameters=13_682_131,
        gflops=429.6,
    ),
    Model(
        "segformer_b2",
        "segformer.SegFormer",
        {"variant": 2},
        backbone="MiT-B2",
        deployed_parameters=27_361_235,
        gflops=988.0,
    ),
    Model(
        "segformer_b3",
        "segformer.SegFormer",
        {"variant": 3},
        backbone="MiT-B3",
        deployed_parameters=47_237_075,
        gflops=1476.6,
    ),
    Model(
        "segformer_b4",
        "segformer.SegFormer",
        {"variant": 4},
        backbone="MiT-B4",
        deployed_parameters=64_007_635,
        gflops=2028.2,
    ),
    Model(
        "segformer_b5",
        "segformer.SegFormer",
        {"variant": 5},
        backbone="MiT-B5",
        deployed_parameters=84_607_955,
        gflops=2464.9,
    ),
    Model(
        "hrnetv2_w48",
        "hrnet.HrNetV2",
        {"backbone": "hrnet_w48"},
        backbone="hrnet_w48",
        deployed_parameters=65_859_379,
        gflops=1489.2,
        thesis=ThesisRow("HRNetV2-W48", 66, 9.5),
    ),
    Model(
        "fpn_lite_nano",
        "fpn_lite.FpnLite",
        {"backbone": "mobilenetv4_conv_small", "channels": 96},
        backbone="mobilenetv4_conv_small",
        deployed_parameters=1_754_835,
        gflops=21.6,
        pools_image=True,
    ),
    Model(
        "fpn_lite_small",
        "fpn_lite.FpnLite",
        {"backbone": "mobilenetv3_large_100", "channels": 96},
        backbone="mobilenetv3_large_100",
        deployed_parameters=3_463_587,
        gflops=23.7,
        pools_image=True,
    ),
)
MODELS: Final = {model.name: model for model in _MODELS}
"""All networks by name, in the order of the tables."""


def pools_image(name: str) -> bool:
    """Return whether the network of a known name pools images to one pixel, see :class:`Model`."""
    return FAMILIES[name].pools_image if name in FAMILIES else MODELS[name].pools_image


def check_name(name: str) -> None:
    """Refuse a name that is neither in :data:`MODELS` nor in :data:`FAMILIES`.

    :raises UserError: naming the nearest known names.
    """
    known = [*FAMILIES, *MODELS]
    if name in known:
        return
    advice = did_you_mean(name, known, 3) or f"; there are {', '.join(known)}"
    raise UserError(f"unknown model {name!r}{advice}")
