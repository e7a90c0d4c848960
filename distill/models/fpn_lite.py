"""FPN-Lite: small students for computers without a large GPU.

A light backbone sees the image once. Its stage outputs at strides 4 to 32 are projected to D channels; the
coarsest gets averages of growing regions as context. From there a decoder climbs to stride 4: at each step
the coarser map is brought to the finer one's size, added to it, and blended by a separable convolution, a 3×3
one per channel followed by a 1×1 one. Unlike SwiftNet-FPN it has no image pyramid, and a blend costs D + 9
multiply-adds per value instead of 9 D.

Sources: Lin et al., *Feature Pyramid Networks for Object Detection*, CVPR 2017; Chollet, *Xception: Deep
Learning with Depthwise Separable Convolutions*, CVPR 2017; the context module is PIDNet's
(:class:`distill.models.pidnet_parts.Pappm`).
"""

from __future__ import annotations

from types import MappingProxyType

from torch import Tensor, nn

from distill.models.network import Maps, SegmentationNetwork
from distill.models.output import upsample
from distill.models.pidnet_parts import Pappm
from distill.models.timm_backbone import STAGE_STRIDES, create_backbone
from distill.models.weights import RANDOM, Pretrained


def separable_conv(channels: int) -> nn.Sequential:
    """3×3 convolution of each channel, 1×1 convolution over all, each with BatchNorm; ReLU at the end."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
        nn.BatchNorm2d(channels),
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=False),
    )


def projection(channels_in: int, channels_out: int) -> nn.Sequential:
    """1×1 convolution with BatchNorm, so that maps of different stages can be added."""
    return nn.Sequential(nn.Conv2d(channels_in, channels_out, 1, bias=False), nn.BatchNorm2d(channels_out))


class FpnLite(SegmentationNetwork):
    """FPN-Lite over a timm backbone; its features are the decoder's maps, ``P4`` … ``P32``.

    :param backbone: name of any timm model with ``features_only`` and stages at strides 4, 8, 16, 32.
    :param num_classes: C.
    :param channels: D, the width of the decoder.
    """

    padding_multiple = 32
    strides = MappingProxyType({f"P{stride}": stride for stride in STAGE_STRIDES})
    classifier_name = "classifier"

    def __init__(
        self, backbone: str, num_classes: int, channels: int, pretrained: Pretrained = RANDOM
    ) -> None:
        super().__init__()
        self.backbone, widths = create_backbone(backbone, pretrained)
        *finer, coarsest = widths
        self.projections = nn.ModuleList(projection(width, channels) for width in finer)
        self.context = Pappm(coarsest, channels // 2, channels)
        self.blends = nn.ModuleList(separable_conv(channels) for _ in finer)
        self.classifier = nn.Conv2d(channels, num_classes, 1)

    def maps(self, image: Tensor) -> Maps:
        """Segment a padded image [B, 3, H, W]; logits are at stride 4."""
        *finer, coarsest = self.backbone(image)
        blended = self.context(coarsest)
        features = [blended]
        for feature, project, blend in zip(
            reversed(finer), reversed(self.projections), self.blends, strict=True
        ):
            projected = project(feature)
            blended = blend(upsample(blended, projected.shape[-2:]) + projected)
            features.insert(0, blended)
        return Maps(self.classifier(blended), blended, dict(zip(self.strides, features, strict=True)))
