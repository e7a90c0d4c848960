"""ResNet18 with the SFNet authors' deep stem: three 3×3 convolutions (64, 64, 128) in place of the 7×7.

It is timm's ResNet. Tensor names are the usual ones, as in the authors' ``resnet18-deep-inplane128.pth``.
"""

from __future__ import annotations

from torch import nn

from distill.models.timm_backbone import create_backbone
from distill.models.weights import Pretrained
from kd_seg_ros.common.errors import UserError


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
    return create_backbone("resnet18", pretrained, {"stem_type": "deep", "stem_width": 64})
