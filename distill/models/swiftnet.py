"""SwiftNet with pyramidal fusion (SwiftNet-FPN), the architecture of the thesis' main students and teacher.

One backbone sees the image at three sizes (1, ½, ¼). Its convolutions are shared between the sizes, its
BatchNorms are not. Every stage output is projected to D channels; maps of equal absolute stride are summed::

    P4 = l1s1                        P32  = l1s4 + l2s3 + l3s2
    P8 = l1s2 + l2s1                 P64  = l2s4 + l3s3
    P16 = l1s3 + l2s2 + l3s1         P128 = l3s4

(l = pyramid level, s = backbone stage). The decoder climbs from P128 to P4; logits are made at stride 4.

Sources: Oršić et al., *In Defense of Pre-trained ImageNet Architectures for Real-time Semantic
Segmentation of Road-driving Images*, CVPR 2019; Oršić & Šegvić, *Efficient semantic segmentation with
pyramidal fusion*, Pattern Recognition 2021; the thesis, ch. 3.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType

from torch import Tensor, nn

from distill.models.backbone import LEVELS, PyramidBackbone
from distill.models.catalogue import SWIFTNET_CHANNELS
from distill.models.network import Maps, SegmentationNetwork
from distill.models.output import upsample
from distill.models.weights import RANDOM, Pretrained

STRIDES = (4, 8, 16, 32, 64, 128)
"""Strides of the six distilled maps, named ``P4`` … ``P128``."""

BATCH_NORM_MOMENTUM = 0.01


def norm_relu_conv(channels_in: int, channels_out: int, kernel: int) -> nn.Sequential:
    """BatchNorm → ReLU → convolution with bias, SwiftNet's building block."""
    return nn.Sequential(
        nn.BatchNorm2d(channels_in, momentum=BATCH_NORM_MOMENTUM),
        nn.ReLU(inplace=False),
        nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2),
    )


class SwiftNet(SegmentationNetwork):
    """SwiftNet-FPN over a timm backbone.

    :param backbone: name of any timm model with ``features_only`` and stages at strides 4, 8, 16, 32.
    :param num_classes: C.
    :param channels: D, the width of the pyramid (320 in the thesis).
    """

    # Without this padding the maps of different backbones disagree in size at strides 64 and 128.
    padding_multiple = 128
    strides = MappingProxyType({f"P{stride}": stride for stride in STRIDES})
    classifier_name = "head.2"

    def __init__(
        self,
        backbone: str,
        num_classes: int,
        channels: int = SWIFTNET_CHANNELS,
        pretrained: Pretrained = RANDOM,
    ) -> None:
        super().__init__()
        self.backbone = PyramidBackbone(backbone, pretrained)
        self.projections = nn.ModuleList()
        for _ in range(LEVELS):
            stages = [norm_relu_conv(width, channels, 1) for width in self.backbone.channels]
            self.projections.append(nn.ModuleList(stages))
        self.blends = nn.ModuleList(norm_relu_conv(channels, channels, 3) for _ in STRIDES[1:])
        self.head = norm_relu_conv(channels, num_classes, 1)

    def backbone_parameters(self) -> Iterable[nn.Parameter]:
        """Return those of the backbone and of the projections, as the reference recipe groups them."""
        return [*self.backbone.parameters(), *self.projections.parameters()]

    def maps(self, image: Tensor) -> Maps:
        """Segment a padded image [B, 3, H, W]; logits are at stride 4."""
        features = self._pyramid(image)
        pre_logits = self._decode(features)
        return Maps(self.head(pre_logits), pre_logits, features)

    def _pyramid(self, image: Tensor) -> dict[str, Tensor]:
        """Sum the projected stage outputs of all levels by absolute stride."""
        features: dict[str, Tensor] = {}
        for level, projections in enumerate(self.projections):
            if level:
                # A whole number and no factor: traced with open sides, a factor would make each size after it
                # a formula that cannot be simplified.
                image = upsample(image, [side // 2 for side in image.shape[-2:]])
            stages = zip(projections, self.backbone(image, level), strict=True)  # type: ignore[call-overload]
            for stage, (projection, feature) in enumerate(stages):
                # Half the image's size has the effect of twice the stride: level + stage tells the stride.
                name = f"P{STRIDES[level + stage]}"
                projected = projection(feature)
                features[name] = features[name] + projected if name in features else projected
        return {f"P{stride}": features[f"P{stride}"] for stride in STRIDES}

    def _decode(self, features: dict[str, Tensor]) -> Tensor:
        """Blend from the coarsest map to the finest."""
        *finer, blended = features.values()
        for blend, feature in zip(self.blends, reversed(finer), strict=True):
            blended = blend(upsample(blended, feature.shape[-2:]) + feature)
        return blended
