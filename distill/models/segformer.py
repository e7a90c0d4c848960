"""SegFormer: a Mix Transformer and a decoder of linear layers.

The decoder brings the four maps of :mod:`distill.models.mit` to one width D and to stride 4::

    S4, S8, S16, S32 → linear to D → bilinear to stride 4 → concatenate, coarsest first
        → 1×1 convolution to D without bias → BatchNorm → ReLU (pre-logits) → dropout → 1×1 convolution to C

Dropout leaves out whole channels, as in the authors' code.

Source: Xie et al., *SegFormer: Simple and Efficient Design for Semantic Segmentation with Transformers*,
NeurIPS 2021.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from distill.models.mit import VARIANTS, MixTransformer
from distill.models.network import Maps, SegmentationNetwork
from distill.models.output import upsample
from distill.models.weights import RANDOM, Pretrained, load_tensors, read_state_dict
from kd_seg_ros.common.errors import UserError

DROPOUT = 0.1


class SegFormer(SegmentationNetwork):
    """SegFormer-B0 … B5.

    :param variant: 0 … 5.
    :param num_classes: C.
    :param pretrained: a file with the encoder alone, or with a decoder for C classes as well, named as
        here, by Hugging Face or by the authors.
    :raises UserError: for weights that do not fit, and for ``pretrained=True``.
    """

    padding_multiple = 32
    strides = MappingProxyType({"S4": 4, "S8": 8, "S16": 16, "S32": 32})
    classifier_name = "decoder.classifier"

    def __init__(self, variant: int, num_classes: int, pretrained: Pretrained = RANDOM) -> None:
        super().__init__()
        if pretrained.source is True:
            raise UserError(
                f"weights of SegFormer-B{variant}: timm's hub has no MiT; fetch model.safetensors or "
                f"pytorch_model.bin of nvidia/mit-b{variant} (Hugging Face) elsewhere and give it by "
                "--student.pretrained FILE"
            )
        self.backbone = MixTransformer(variant)
        self.decoder = Decoder(self.backbone.channels, VARIANTS[variant].decoder_width, num_classes)
        if pretrained.source:
            _load(self, variant, Path(str(pretrained.source)), pretrained.strict)

    def maps(self, image: Tensor) -> Maps:
        """Segment a padded image [B, 3, H, W]; logits are at stride 4."""
        features = self.backbone(image)
        logits, pre_logits = self.decoder(features)
        return Maps(logits, pre_logits, dict(zip(self.strides, features, strict=True)))


class Decoder(nn.Module):
    """Logits from four maps of ``channels`` channels.

    :param width: D.
    :param num_classes: C.
    """

    def __init__(self, channels: Sequence[int], width: int, num_classes: int) -> None:
        super().__init__()
        self.projections = nn.ModuleList(nn.Linear(c, width) for c in channels)
        self.fuse = nn.Conv2d(len(channels) * width, width, 1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.dropout = nn.Dropout2d(DROPOUT)
        self.classifier = nn.Conv2d(width, num_classes, 1)
        nn.init.kaiming_normal_(self.fuse.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, features: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Return logits [B, C, h, w] and pre-logits [B, D, h, w] of the size of the first (finest) map.

        As published, the projected maps are upsampled, stacked (coarsest first) and fused by a 1×1
        convolution. That convolution and bilinear upsampling commute, so each map is fused at its own
        size first: the same values without 4·D channels at stride 4.
        """
        maps = []
        for project, feature, weight in zip(self.projections, features, self._fuse_weights(), strict=True):
            projected = project(feature.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
            maps.append(F.conv2d(projected, weight))
        # The fused map is the sum of the shares, each upsampled to stride 4.
        finest, *coarser = maps
        fused = sum((upsample(x, finest.shape[-2:]) for x in coarser), start=finest)
        pre_logits = torch.relu(self.norm(fused))
        return self.classifier(self.dropout(pre_logits)), pre_logits

    def _fuse_weights(self) -> list[Tensor]:
        """Return the share of the fusing convolution in each map, finest first."""
        return list(reversed(self.fuse.weight.chunk(len(self.projections), dim=1)))


def _from_zero(match: re.Match[str]) -> str:
    """Number the authors' stages, which count from 1, as everybody else does."""
    return f"{match[1]}.{int(match[2]) - 1}."


# From the names in a file to ours, replaced in this order. Hugging Face's names are the released ones, which
# transformers 5 still writes; ours pass through unchanged.
_RENAMES: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (r"^(segformer\.encoder|encoder|backbone)\.(?=patch_embed|block|layer_norm|norm)", ""),
    (r"^(patch_embed|block|norm|decode_head\.linear_c)([1-4])\.", _from_zero),
    (r"^patch_embed(dings)?\.(\d)\.proj\.", r"backbone.stages.\2.embedding.projection."),
    (r"^patch_embed(dings)?\.(\d)\.(layer_)?norm\.", r"backbone.stages.\2.embedding.norm."),
    (r"^(layer_)?norm\.(\d)\.", r"backbone.stages.\2.norm."),
    (r"^block\.(\d)\.(\d+)\.", r"backbone.stages.\1.blocks.\2."),
    (r"\.(layer_norm_|norm)1\.", ".attention_norm."),
    (r"\.(layer_norm_|norm)2\.", ".feed_forward_norm."),
    (r"\.attention\.self\.(query|key|value)\.", r".attention.\1."),
    (r"\.attn\.q\.", ".attention.query."),
    (r"\.(attention\.self|attn)\.sr\.", ".attention.reduction."),
    (r"\.(attention\.self\.layer_norm|attn\.norm)\.", ".attention.reduction_norm."),
    (r"\.(attention\.output\.dense|attn\.proj)\.", ".attention.output."),
    (r"\.mlp\.(dense|fc)1\.", ".feed_forward.expand."),
    (r"\.mlp\.dwconv\.dwconv\.", ".feed_forward.depthwise."),
    (r"\.mlp\.(dense|fc)2\.", ".feed_forward.shrink."),
    (r"^decode_head\.linear_c\.(\d)\.proj\.", r"decoder.projections.\1."),
    (r"^decode_head\.linear_fuse\.(conv\.)?weight$", "decoder.fuse.weight"),
    (r"^decode_head\.(batch_norm|linear_fuse\.bn)\.", "decoder.norm."),
    (r"^decode_head\.(classifier|linear_pred)\.", "decoder.classifier."),
)

UNUSED = {
    *("classifier.weight", "classifier.bias"),
    *("head.weight", "head.bias"),
    *("decode_head.conv_seg.weight", "decode_head.conv_seg.bias"),
}
"""Further tensors that a file may hold: the ImageNet classifier (Hugging Face's name, the authors'), and a
layer that the authors' decoder inherits and leaves idle."""


def _load(network: SegFormer, variant: int, path: Path, strict: bool) -> None:
    state = our_names(read_state_dict(path))
    has_decoder = any(key.startswith("decoder.") for key in state)
    classifier = state.get("decoder.classifier.weight")
    classes = network.decoder.classifier.out_channels
    if strict and classifier is not None and len(classifier) != classes:
        raise UserError(
            f"weights file {path} has a decoder for {len(classifier)} classes, this network {classes}; "
            f"take the encoder's weights alone (nvidia/mit-b{variant}), or --student.strict false, "
            "which loads all but the classifier"
        )
    module = network if has_decoder else nn.ModuleDict({"backbone": network.backbone})
    load_tensors(module, state, f"SegFormer-B{variant} from {path}", strict, optional=UNUSED)


def our_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename a file's tensors; the authors' keys and values, which are in one, are split."""
    renamed = {}
    for key, tensor in state.items():
        for pattern, replacement in _RENAMES:
            key = re.sub(pattern, replacement, key)
        block, packed, tensor_name = key.partition(".attn.kv.")
        if packed:
            renamed[f"{block}.attention.key.{tensor_name}"] = tensor.chunk(2)[0]
            renamed[f"{block}.attention.value.{tensor_name}"] = tensor.chunk(2)[1]
        else:
            renamed[key] = tensor
    return renamed
