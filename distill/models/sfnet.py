"""SFNet over ResNet18: a feature pyramid whose coarse maps are aligned with the finer ones by semantic flow.

From the stage outputs s4 … s32::

    P32 = pool(s32)                     top(32) = P32
    top(i) = lateral(s_i) + align(top(2i))        P_i = smooth(top(i))        i = 16, 8, 4

All P are brought to stride 4, stacked and classified. Maps are resized with ``align_corners``, as in the
authors' code, so that their weights give their outputs.

Source: Li et al., *Semantic Flow for Fast and Accurate Scene Parsing*, ECCV 2020.
"""

from __future__ import annotations

from types import MappingProxyType

import torch
from torch import Tensor, nn

from distill.models.deep_stem_resnet import deep_stem_resnet18
from distill.models.flow_alignment import FlowAlignment
from distill.models.network import Maps, SegmentationNetwork
from distill.models.output import upsample
from distill.models.pyramid_pooling import PyramidPooling
from distill.models.timm_backbone import STAGE_STRIDES
from distill.models.weights import RANDOM, Pretrained

CHANNELS = 128
"""Width of the pyramid over ResNet18."""


def conv_norm_relu(channels_in: int, channels_out: int, kernel: int) -> nn.Sequential:
    """Convolution → BatchNorm → ReLU; the 1×1 of the laterals has a bias, as published, the 3×3 has none."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2, bias=kernel == 1),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(inplace=False),
    )


class SfNet(SegmentationNetwork):
    """SFNet-ResNet18; its features are the pyramid's maps, ``P4`` … ``P32``.

    :param num_classes: C.
    """

    padding_multiple = 32
    strides = MappingProxyType({f"P{stride}": stride for stride in STAGE_STRIDES})
    classifier_name = "classifier"
    align_corners = True

    def __init__(self, num_classes: int, pretrained: Pretrained = RANDOM) -> None:
        super().__init__()
        self.backbone, widths = deep_stem_resnet18(pretrained)
        self.pool = PyramidPooling(widths[-1], CHANNELS)
        self.laterals = nn.ModuleList(conv_norm_relu(width, CHANNELS, 1) for width in widths[:-1])
        self.alignments = nn.ModuleList(FlowAlignment(CHANNELS) for _ in widths[:-1])
        self.smoothings = nn.ModuleList(conv_norm_relu(CHANNELS, CHANNELS, 3) for _ in widths[:-1])
        self.mix = conv_norm_relu(len(widths) * CHANNELS, CHANNELS, 3)
        self.classifier = nn.Conv2d(CHANNELS, num_classes, 1)

    def maps(self, image: Tensor) -> Maps:
        """Segment a padded image [B, 3, H, W]; logits are at stride 4."""
        pyramid = self._pyramid(self.backbone(image))
        size = pyramid[0].shape[-2:]
        fused = [upsample(level, size, self.align_corners) for level in pyramid]
        pre_logits = self.mix(torch.cat(fused, dim=1))
        return Maps(self.classifier(pre_logits), pre_logits, dict(zip(self.strides, pyramid, strict=True)))

    def _pyramid(self, stages: list[Tensor]) -> list[Tensor]:
        """Return P4 … P32."""
        *finer, coarsest = stages
        top = self.pool(coarsest)
        pyramid = [top]
        for stage, lateral, align, smooth in zip(
            reversed(finer),
            reversed(self.laterals),
            reversed(self.alignments),
            reversed(self.smoothings),
            strict=True,
        ):
            fine = lateral(stage)
            top = fine + align(fine, top)
            pyramid.insert(0, smooth(top))
        return pyramid
