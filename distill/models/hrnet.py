"""HRNetV2: four branches at strides 4, 8, 16 and 32 run in parallel and exchange features.

The branches' outputs are brought to stride 4 and stacked (W48: 48 + 96 + 192 + 384 = 720 channels); a 1×1
convolution mixes them and another one classifies. The backbone is timm's, whose branches exchange
features by the nearest value, as the authors' classification network does; here they do it bilinearly, as in
their network for segmentation.

Source: Wang et al., *Deep High-Resolution Representation Learning for Visual Recognition*, TPAMI 2020.
"""

from __future__ import annotations

from types import MappingProxyType

import torch
from torch import Tensor, nn

from distill.models.network import Maps, SegmentationNetwork
from distill.models.output import upsample
from distill.models.timm_backbone import STAGE_STRIDES, create_backbone
from distill.models.weights import RANDOM, Pretrained


class HrNetV2(SegmentationNetwork):
    """HRNetV2 over one of timm's HRNets; its features are the branches' outputs, ``S4`` … ``S32``.

    :param backbone: ``hrnet_w48`` and its kin.
    :param num_classes: C.
    """

    padding_multiple = 32
    strides = MappingProxyType({f"S{stride}": stride for stride in STAGE_STRIDES})
    classifier_name = "classifier"

    def __init__(self, backbone: str, num_classes: int, pretrained: Pretrained = RANDOM) -> None:
        super().__init__()
        # feature_location='': the branches themselves, without the classifier's wider copies of them.
        self.backbone, widths = create_backbone(backbone, pretrained, {"feature_location": ""})
        for module in self.backbone.modules():
            if isinstance(module, nn.Upsample):
                module.mode, module.align_corners = "bilinear", False
        width = sum(widths)
        self.mix = nn.Sequential(nn.Conv2d(width, width, 1), nn.BatchNorm2d(width), nn.ReLU(inplace=False))
        self.classifier = nn.Conv2d(width, num_classes, 1)

    def maps(self, image: Tensor) -> Maps:
        """Segment a padded image [B, 3, H, W]; logits are at stride 4."""
        branches = self.backbone(image)
        size = branches[0].shape[-2:]
        pre_logits = self.mix(torch.cat([branches[0], *(upsample(b, size) for b in branches[1:])], dim=1))
        return Maps(self.classifier(pre_logits), pre_logits, dict(zip(self.strides, branches, strict=True)))
