"""SwiftNet with pyramidal fusion as github.com/UNIZG-FER-D307/semseg-in-adverse-conditions names it.

Their backbone is one network whose BatchNorms ``bn1``, ``bn2`` … exist three times, in ``bn_modules_s1`` to
``bn_modules_s3``, one for each size of the image; what is called by those names in ``network`` itself is the
copy that ran last, and is left out. The BatchNorms of ResNet's ``downsample`` are not among them: they are
shared between the sizes, so each of this project's three gets the same numbers. ConvNeXt has none; it is
named as by its authors (``downsample_layers``) or as by torchvision (``features``). The sixth
``upsample_layers`` is never run.
"""

from __future__ import annotations

import re

from torch import Tensor

from distill.imports.translation import Rename, Tensors, Translation, renamed
from distill.models.backbone import LEVELS

PLACES = {"norm": 0, "conv": 2}
"""Positions in a BatchNorm → ReLU → convolution."""

AROUND: tuple[Rename, ...] = (
    (
        r"^backbone\.up([123])\.([0-3])\.(norm|conv)\.",
        lambda found: f"projections.{int(found[1]) - 1}.{found[2]}.{PLACES[found[3]]}.",
    ),
    (
        r"^upsample\.upsample_layers\.([0-4])\.blend_conv\.(norm|conv)\.",
        lambda found: f"blends.{found[1]}.{PLACES[found[2]]}.",
    ),
    (r"^logits\.(norm|conv)\.", lambda found: f"head.{PLACES[found[1]]}."),
)
"""Projections, blends and classifier."""


IDLE = (
    r"upsample\.upsample_layers\.5\.",
    r"upsample\.upsample_layers\.\d\.logits_aux\.",
    r"loss\.",
    r"backbone\.network\.(fc|head|classifier)\.",
    r"backbone\.network\.norm\.",
)
"""The blend that never runs, auxiliary heads, the loss, and the classifiers of ImageNet."""

CONVNEXT: tuple[Rename, ...] = (
    # The names of ConvNeXt's authors …
    (r"^downsample_layers\.0\.", "stem_"),
    (r"^downsample_layers\.([1-3])\.", r"stages_\1.downsample."),
    (r"^stages\.([0-3])\.(\d+)\.", r"stages_\1.blocks.\2."),
    (r"\.dwconv\.", ".conv_dw."),
    (r"\.pwconv([12])\.", r".mlp.fc\1."),
    # … and torchvision's: stem, stages and what is between them, in one row.
    (r"^features\.0\.", "stem_"),
    (r"^features\.([246])\.", lambda found: f"stages_{int(found[1]) // 2}.downsample."),
    (r"^features\.([1357])\.(\d+)\.", lambda found: f"stages_{int(found[1]) // 2}.blocks.{found[2]}."),
    (r"\.block\.0\.", ".conv_dw."),
    (r"\.block\.2\.", ".norm."),
    (r"\.block\.3\.", ".mlp.fc1."),
    (r"\.block\.5\.", ".mlp.fc2."),
    (r"\.layer_scale$", ".gamma"),
)
"""A ConvNeXt's tensors as timm names them when it returns stages."""


def translate_swiftnet(tensors: Tensors) -> Translation:
    """Translate the tensors of a whole SwiftNet over ResNet or ConvNeXt."""
    result = Translation()
    for name, tensor in tensors.items():
        level = re.match(r"^backbone\.bn_modules_s([123])\.(.+)\.(\w+)$", name)
        if any(re.match(pattern, name) for pattern in IDLE) or _is_copy(name):
            result.idle.append(name)
        elif level:
            # The keys of their dictionary of modules have slashes: layer1/0/bn1.
            norm = level[2].replace("/", ".")
            result.tensors[f"backbone.network.{norm}.norms.{int(level[1]) - 1}.{level[3]}"] = tensor
        elif name.startswith("backbone.network."):
            result.tensors.update(_of_backbone(name.removeprefix("backbone.network."), tensor))
        else:
            result.tensors[renamed(name, AROUND)] = tensor
    return result


def _is_copy(name: str) -> bool:
    """Tell whether a tensor is that of the BatchNorm that ran last, which is one of the three."""
    return re.match(r"^backbone\.network\.(.*\.)?bn\d\.\w+$", name) is not None


def _of_backbone(name: str, tensor: Tensor) -> dict[str, Tensor]:
    """Return the tensors of this project's backbone that one of theirs stands for."""
    shared = re.match(r"^(.+\.downsample\.1)\.(\w+)$", name)
    if shared and name.startswith("layer"):
        return {f"backbone.network.{shared[1]}.norms.{n}.{shared[2]}": tensor for n in range(LEVELS)}
    if name.endswith(".layer_scale"):
        tensor = tensor.flatten()  # torchvision keeps it as [C, 1, 1]
    return {f"backbone.network.{renamed(name, CONVNEXT)}": tensor}
