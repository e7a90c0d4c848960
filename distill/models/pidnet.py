"""PIDNet, a network of three branches: proportional (detail), integral (context), derivative (boundaries).

All start from one map at stride 8. I goes down to stride 64; P and D stay at stride 8 and take context from
I; in the end D decides for every pixel whether P counts or I::

    image ── stem ─┬───── layer3_ ── Pag ── layer4_ ── Pag ── layer5_ ──────── p ─┐
                   │                  ↑                 ↑                         │
                   ├── layer3 (16) ───┼── layer4 (32) ──┼── layer5 (64) ─ spp ─ i ┼─ Bag ── head
                   │                  ↓                 ↓                         │
                   └───── layer3_d ── + ─── layer4_d ── + ─── layer5_d ──────── d ┘

Training uses two more heads: one for the classes after the first Pag, one for boundaries after the second +.
As in the authors' code, both read the map after its ReLU.

Module names are those of the authors' code (conv1 to layer2 are the stem, spp the pyramid pooling, dfm the
Bag), so that their files load as they are: ``PIDNet_S_ImageNet.pth.tar``, in which there is nothing of D, of
the pooling and of the heads, so that these start from random weights; and ``PIDNet_S_Cityscapes_val.pt``, in
which every name begins with ``model.``; likewise of M and L.

Source: Xu et al., *PIDNet: A Real-time Semantic Segmentation Network Inspired by PID Controllers*, CVPR 2023.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from distill.models.network import Maps, SegmentationNetwork
from distill.models.output import NOTHING, upsample
from distill.models.pidnet_parts import (
    Bag,
    BasicBlock,
    Bottleneck,
    Dappm,
    Head,
    LightBag,
    Pag,
    Pappm,
    basic_blocks,
    conv_bn,
)
from distill.models.weights import RANDOM, Pretrained, load_tensors, read_state_dict
from kd_seg_ros.common.errors import UserError

Variant = Literal["s", "m", "l"]


@dataclass(frozen=True)
class Size:
    """The numbers in which the variants S, M and L differ."""

    blocks: int
    """Residual blocks in each stage up to stride 8, and in each of the P branch."""
    deep_blocks: int
    """Residual blocks in each stage of the I branch at strides 16 and 32."""
    channels: int
    """Channels of the stem; every other width is a multiple of them."""
    pooling: int
    """Channels of each scale of the pyramid pooling."""
    head: int
    """Channels of the semantic heads, those of the pre-logits."""
    light: bool
    """PAPPM, Light-Bag and a narrow D branch; otherwise DAPPM, Bag and a wide one."""


SIZES: dict[Variant, Size] = {
    "s": Size(blocks=2, deep_blocks=3, channels=32, pooling=96, head=128, light=True),
    "m": Size(blocks=2, deep_blocks=3, channels=64, pooling=96, head=128, light=True),
    "l": Size(blocks=3, deep_blocks=4, channels=64, pooling=112, head=256, light=False),
}

TRUNK = (
    *("conv1", "layer1", "layer2", "layer3", "layer4", "layer5"),
    *("layer3_", "layer4_", "layer5_", "compression3", "compression4", "pag3", "pag4"),
)
"""The parts that are trained on ImageNet."""

CLASSIFIER = ("down5", "last_layer", "linear")
"""The parts of an ImageNet file that no segmentation network has."""

CRITERIA = ("sem_loss", "bd_loss")
"""The losses, of which the class weights are in the authors' Cityscapes files."""


class PidNet(SegmentationNetwork):
    """PIDNet-S, -M or -L.

    Distilled maps are the three that are fused: ``detail`` (P), ``context`` (I, not yet resized) and
    ``boundary`` (D), each of 4·channels; and those of the branches after their first residual block
    (``detail3``, ``context3``, ``boundary3``) and their second one (``detail4`` …), after the ReLU, where P
    and D have taken from I.

    :param num_classes: C.
    :param pretrained: a file of the authors, of their ImageNet trunk or of a whole network.
    :raises UserError: for a file that does not fit, or for ``True``: there is no hub to fetch from.
    """

    padding_multiple = 64
    strides = MappingProxyType(
        {
            **{"detail": 8, "context": 64, "boundary": 8},
            **{"detail3": 8, "context3": 16, "boundary3": 8},
            **{"detail4": 8, "context4": 32, "boundary4": 8},
        }
    )
    classifier_name = "final_layer.conv2"
    training_only = ("seghead_p", "seghead_d")

    def __init__(self, variant: Variant, num_classes: int, pretrained: Pretrained = RANDOM) -> None:
        super().__init__()
        size, c = SIZES[variant], SIZES[variant].channels
        self.conv1 = nn.Sequential(
            *(nn.Conv2d(3, c, 3, 2, 1), nn.BatchNorm2d(c), nn.ReLU(inplace=False)),
            *(nn.Conv2d(c, c, 3, 2, 1), nn.BatchNorm2d(c), nn.ReLU(inplace=False)),
        )
        self.layer1 = basic_blocks(c, c, size.blocks)
        self.layer2 = basic_blocks(c, 2 * c, size.blocks, stride=2)
        self.layer3 = basic_blocks(2 * c, 4 * c, size.deep_blocks, stride=2)
        self.layer4 = basic_blocks(4 * c, 8 * c, size.deep_blocks, stride=2)
        self.layer5 = nn.Sequential(Bottleneck(8 * c, 8 * c, stride=2), Bottleneck(16 * c, 8 * c))
        self.spp = (Pappm if size.light else Dappm)(16 * c, size.pooling, 4 * c)

        self.compression3, self.compression4 = conv_bn(4 * c, 2 * c, 1), conv_bn(8 * c, 2 * c, 1)
        self.pag3, self.pag4 = Pag(2 * c, c), Pag(2 * c, c)
        self.layer3_ = basic_blocks(2 * c, 2 * c, size.blocks)
        self.layer4_ = basic_blocks(2 * c, 2 * c, size.blocks)
        self.layer5_ = nn.Sequential(Bottleneck(2 * c, 2 * c))

        narrow = c if size.light else 2 * c
        self.diff3, self.diff4 = conv_bn(4 * c, narrow, 3), conv_bn(8 * c, 2 * c, 3)
        self.layer3_d = BasicBlock(2 * c, narrow)
        self.layer4_d = nn.Sequential(Bottleneck(c, c)) if size.light else BasicBlock(2 * c, 2 * c)
        self.layer5_d = nn.Sequential(Bottleneck(2 * c, 2 * c))

        self.dfm = LightBag(4 * c) if size.light else Bag(4 * c)
        self.final_layer = Head(4 * c, size.head, num_classes)
        self.seghead_p = Head(2 * c, size.head, num_classes)
        self.seghead_d = Head(2 * c, c, 1)

        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if pretrained.source:
            _load(self, f"PIDNet-{variant.upper()}", pretrained)

    def maps(self, image: Tensor) -> Maps:
        """Segment a padded image [B, 3, H, W]; logits are at stride 8.

        In training, ``auxiliary`` holds ``semantic`` [B, C, h, w] and ``boundary`` [B, 1, h, w], both before
        softmax and sigmoid and at stride 8.
        """
        # The stem: all branches start from its map at stride 8.
        i = F.relu(self.layer2(F.relu(self.layer1(self.conv1(image)))))
        size = i.shape[-2:]
        p, d = self.layer3_(i), self.layer3_d(i)

        # I at stride 16; P and D take from it.
        i = first_i = F.relu(self.layer3(i))
        first_p = F.relu(self.pag3(p, self.compression3(i)))
        first_d = F.relu(d + upsample(self.diff3(i), size))

        # I at stride 32; P and D take from it again.
        i = F.relu(self.layer4(i))
        p = F.relu(self.pag4(self.layer4_(first_p), self.compression4(i)))
        second_d = F.relu(self.layer4_d(first_d) + upsample(self.diff4(i), size))

        # I at stride 64, its pyramid pooling, and the fusion of the three branches at stride 8.
        detail, context, boundary = self.layer5_(p), self.spp(self.layer5(i)), self.layer5_d(second_d)
        fused = self.dfm(detail, upsample(context, size), boundary)
        pre_logits = self.final_layer.pre_logits(fused)
        return Maps(
            logits=self.final_layer.conv2(pre_logits),
            pre_logits=pre_logits,
            features={
                **{"detail": detail, "context": context, "boundary": boundary},
                **{"detail3": first_p, "context3": first_i, "boundary3": first_d},
                **{"detail4": p, "context4": i, "boundary4": second_d},
            },
            auxiliary={"semantic": self.seghead_p(first_p), "boundary": self.seghead_d(second_d)}
            if self.training
            else NOTHING,
        )


def _load(network: PidNet, name: str, pretrained: Pretrained) -> None:
    """Load a file of the authors into the parts that such a file holds."""
    if pretrained.source is True:
        raise UserError(
            f"weights of {name} are on no hub of timm's: fetch the authors' "
            f"{name.replace('-', '_')}_ImageNet.pth.tar (github.com/XuJiacong/PIDNet) "
            "and give it by --student.pretrained FILE"
        )
    state = {
        key.removeprefix("model."): value
        for key, value in read_state_dict(Path(str(pretrained.source))).items()
        if _part(key) not in CRITERIA
    }
    parts = dict(network.named_children())
    wanted: nn.Module = network
    if {_part(key) for key in state}.isdisjoint(parts.keys() - set(TRUNK)):
        wanted = nn.ModuleDict({part: parts[part] for part in TRUNK})
    if pretrained.strict:
        classes = network.final_layer.conv2.out_channels
        network.refuse_other_classes(state, classes, f"weights file {pretrained.source}")
    classifier = {key for key in state if _part(key) in CLASSIFIER}
    load_tensors(wanted, state, name, pretrained.strict, optional=classifier)


def _part(key: str) -> str:
    """Name the submodule a tensor belongs to."""
    return key.partition(".")[0]
