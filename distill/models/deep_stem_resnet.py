"""ResNet18 with the SFNet authors' deep stem: three 3×3 convolutions (64, 64, 128) in place of the 7×7.

It is timm's ResNet, with one more change that the authors' segmentation networks make: the second convolution
of every block is dilated, by 2 at stride 16 and by 4 at stride 32. Tensor names are the usual ones, as in the
authors' ``resnet18-deep-inplane128.pth``.
"""

from __future__ import annotations

from typing import Final

from torch import nn

from distill.models.timm_backbone import create_backbone
from distill.models.weights import Pretrained
from kd_seg_ros.common.errors import UserError

DILATIONS: Final = {"layer3": 2, "layer4": 4}
"""Dilation of the blocks' second convolutions, by the name of the stage."""


def deep_stem_resnet18(pretrained: Pretrained) -> tuple[nn.Module, list[int]]:
    """Make the backbone; see :func:`~distill.models.timm_backbone.create_backbone`.

    :raises UserError: for ``pretrained: true``: timm's hub has no weights for this stem.
    """
    if pretrained.source is True:
        raise UserError(
            "timm's hub has no weights of ResNet18 with a 128-channel deep stem; fetch the SFNet authors' "
            "resnet18-deep-inplane128.pth and give it by --student.pretrained FILE (a plain ResNet18 file "
            "fits all but the stem: --student.strict false)"
        )
    network, widths = create_backbone("resnet18", pretrained, {"stem_type": "deep", "stem_width": 64})
    for stage, dilation in DILATIONS.items():
        for block in network.get_submodule(stage):  # type: ignore[attr-defined]
            block.conv2.dilation = block.conv2.padding = (dilation, dilation)
    return network, widths
