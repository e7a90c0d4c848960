"""The repositories whose weights can be imported, by the network of the catalogue that they are for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from distill.imports.hrnet import translate_hrnet
from distill.imports.pidnet import translate_pidnet
from distill.imports.segformer import translate_segformer
from distill.imports.sfnet import translate_sfnet, translate_sfnet_lite
from distill.imports.swiftnet import translate_swiftnet
from distill.imports.translation import Tensors, Translation


@dataclass(frozen=True)
class Source:
    """A repository that publishes weights."""

    repository: str
    """Where its code is."""
    translate: Callable[[Tensors], Translation]
    """From its tensors' names to this project's."""
    imagenet: bool = True
    """Whether its images are normalised by ImageNet's mean and std; else each data set's by its own."""


SOURCES: Final[dict[str, Source]] = {
    "swiftnet.SwiftNet": Source(
        "github.com/UNIZG-FER-D307/semseg-in-adverse-conditions", translate_swiftnet, imagenet=False
    ),
    "pidnet.PidNet": Source("github.com/XuJiacong/PIDNet", translate_pidnet),
    "sfnet.SfNet": Source("github.com/lxtGH/SFSegNets", translate_sfnet),
    "sfnet_lite.SfNetLite": Source("github.com/lxtGH/SFSegNets", translate_sfnet_lite),
    "segformer.SegFormer": Source("github.com/NVlabs/SegFormer, or Hugging Face", translate_segformer),
    "hrnet.HrNetV2": Source("github.com/HRNet/HRNet-Semantic-Segmentation", translate_hrnet),
}
"""By the class of the network below :mod:`distill.models`."""
