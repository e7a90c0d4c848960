"""SFNet-Lite over ResNet18: one alignment, between the finest and the coarsest map, in place of three.

::

    P32 = pool(s32)     P16 = lateral(s16)     P4 = gated dual alignment(lateral(s4), P32)

P4 and P16 are stacked at stride 4 and classified. As in :mod:`distill.models.sfnet`, maps are resized with
``align_corners``.

The published count (12.296 M) includes a lateral of s32 and a head for deep supervision, 0.216 M in all,
that are not on the way from image to logits. Here they supervise stage 4 in training and are absent from the
exported file, which holds 12.080 M.

Source: Li et al., *SFNet: Faster and Accurate Semantic Segmentation via Semantic Flow*, IJCV 2024.
"""

from __future__ import annotations

from types import MappingProxyType

import torch
from torch import Tensor, nn

from distill.models.deep_stem_resnet import deep_stem_resnet18
from distill.models.flow_alignment import GatedDualFlowAlignment
from distill.models.network import Maps, SegmentationNetwork
from distill.models.output import upsample
from distill.models.pyramid_pooling import PyramidPooling
from distill.models.sfnet import CHANNELS, conv_norm_relu
from distill.models.weights import RANDOM, Pretrained


class SfNetLite(SegmentationNetwork):
    """SFNet-Lite-ResNet18; its features are ``P4`` (after the alignment), ``P16`` and ``P32``.

    :param num_classes: C.
    """

    padding_multiple = 32
    strides = MappingProxyType({"P4": 4, "P16": 16, "P32": 32})
    classifier_name = "classifier"
    training_only = ("supervision",)
    align_corners = True

    def __init__(self, num_classes: int, pretrained: Pretrained = RANDOM) -> None:
        super().__init__()
        self.backbone, widths = deep_stem_resnet18(pretrained)
        self.pool = PyramidPooling(widths[3], CHANNELS)
        self.lateral4 = conv_norm_relu(widths[0], CHANNELS, 1)
        self.lateral16 = conv_norm_relu(widths[2], CHANNELS, 1)
        self.alignment = GatedDualFlowAlignment(CHANNELS)
        self.mix = conv_norm_relu(2 * CHANNELS, CHANNELS, 3)
        self.classifier = nn.Conv2d(CHANNELS, num_classes, 1)
        self.supervision = nn.Sequential(
            conv_norm_relu(widths[3], CHANNELS, 1),
            nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1),
            nn.BatchNorm2d(CHANNELS),
            nn.ReLU(inplace=False),
            nn.Dropout2d(0.1),
            nn.Conv2d(CHANNELS, num_classes, 1),
        )

    def maps(self, image: Tensor) -> Maps:
        """Segment a padded image [B, 3, H, W]; logits are at stride 4."""
        s4, _, s16, s32 = self.backbone(image)
        p32, p16 = self.pool(s32), self.lateral16(s16)
        p4 = self.alignment(self.lateral4(s4), p32)
        pre_logits = self.mix(torch.cat([p4, upsample(p16, p4.shape[-2:], self.align_corners)], dim=1))
        return Maps(
            logits=self.classifier(pre_logits),
            pre_logits=pre_logits,
            features={"P4": p4, "P16": p16, "P32": p32},
            auxiliary={"semantic": self.supervision(s32)} if self.training else {},
        )
