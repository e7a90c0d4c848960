"""Mix Transformer (MiT), the hierarchical encoder of SegFormer.

Four stages make maps at strides 4, 8, 16 and 32. A stage is an overlapping patch embedding (a strided
convolution and a LayerNorm), blocks, and a LayerNorm. A block, x of shape [B, h, w, C]::

    x = x + attention(norm(x))
    x = x + feed_forward(norm(x))

Attention looks at a map that a strided convolution has made R times smaller per side, so that N = h·w
queries meet N/R² keys. The feed-forward layer holds a 3×3 depthwise convolution, whose zero padding tells
positions apart: there is no position encoding, and any size will do. Each branch of a block is left out at
random in training, with a probability rising linearly from 0 at the first block to 0.1 at the last.

The LayerNorms have the ε of the authors' code: 1e-6 in the blocks and after a stage, 1e-5 after the two
kinds of strided convolution. (Hugging Face's port has 1e-5 everywhere.)

Source: Xie et al., *SegFormer: Simple and Efficient Design for Semantic Segmentation with Transformers*,
NeurIPS 2021, with the widths and ratios of the authors' code.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from timm.layers import DropPath
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Variant:
    """Widths and depths, in which B0 … B5 differ."""

    widths: tuple[int, int, int, int]
    """Channels of the four stages."""
    depths: tuple[int, int, int, int]
    """Blocks of the four stages."""
    decoder_width: int
    """Channels of SegFormer's decoder."""


VARIANTS = (
    Variant((32, 64, 160, 256), (2, 2, 2, 2), 256),
    Variant((64, 128, 320, 512), (2, 2, 2, 2), 256),
    Variant((64, 128, 320, 512), (3, 4, 6, 3), 768),
    Variant((64, 128, 320, 512), (3, 4, 18, 3), 768),
    Variant((64, 128, 320, 512), (3, 8, 27, 3), 768),
    Variant((64, 128, 320, 512), (3, 6, 40, 3), 768),
)
"""The six encoders, B0 … B5."""

# The same in all variants, per stage:
KERNELS, STRIDES = (7, 3, 3, 3), (4, 2, 2, 2)
"""Kernel size and stride of the patch embeddings."""
HEADS = (1, 2, 5, 8)
"""Number of attention heads."""
REDUCTIONS = (8, 4, 2, 1)
"""R in the module's description: keys and values come from a map so many times smaller per side."""

EXPANSION = 4
"""Width of the feed-forward layer ÷ width of the stage."""
DROP_PATH = 0.1
"""Probability that a branch of the last block is left out in training."""
EPSILON, CONVOLUTION_EPSILON = 1e-6, 1e-5
"""ε of the LayerNorms in the blocks and after a stage, and of those after a strided convolution."""


class MixTransformer(nn.Module):
    """The encoder: an image to four maps at strides 4, 8, 16 and 32.

    :param variant: 0 … 5, for B0 … B5.
    """

    def __init__(self, variant: int) -> None:
        super().__init__()
        table = VARIANTS[variant]
        self.channels = list(table.widths)
        blocks = sum(table.depths)
        drops = [DROP_PATH * i / (blocks - 1) for i in range(blocks)]
        self.stages = nn.ModuleList()
        for stage, (width, depth) in enumerate(zip(table.widths, table.depths, strict=True)):
            channels_in = table.widths[stage - 1] if stage else 3
            self.stages.append(Stage(stage, channels_in, width, drops[:depth]))
            drops = drops[depth:]
        self.apply(_initialise)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return the four stage outputs, [B, C, h, w], of an image whose sides are multiples of 32."""
        features, x = [], image
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features


class Stage(nn.Module):
    """Patch embedding, blocks, LayerNorm: [B, C, H, W] to [B, ``width``, h, w].

    :param stage: 0 … 3.
    :param drops: for each block, how often its branches are left out in training.
    """

    def __init__(self, stage: int, channels_in: int, width: int, drops: Sequence[float]) -> None:
        super().__init__()
        self.embedding = PatchEmbedding(channels_in, width, KERNELS[stage], STRIDES[stage])
        self.blocks = nn.Sequential(*(Block(width, HEADS[stage], REDUCTIONS[stage], drop) for drop in drops))
        self.norm = nn.LayerNorm(width, EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        """Return the stage's map [B, width, h, w] of [B, C, H, W]."""
        return _channels_first(self.norm(self.blocks(self.embedding(x))))


class PatchEmbedding(nn.Module):
    """Strided convolution and LayerNorm: [B, C, H, W] to [B, h, w, ``width``]."""

    def __init__(self, channels_in: int, width: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.projection = nn.Conv2d(channels_in, width, kernel, stride, kernel // 2)
        self.norm = nn.LayerNorm(width, CONVOLUTION_EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        """Return the embedded patches [B, h, w, width] of [B, C, H, W]."""
        return self.norm(_channels_last(self.projection(x)))


class Block(nn.Module):
    """Attention and feed-forward layer, each with a shortcut around it, on maps [B, h, w, C]."""

    def __init__(self, width: int, heads: int, reduction: int, drop: float) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width, EPSILON)
        self.attention = Attention(width, heads, reduction)
        self.feed_forward_norm = nn.LayerNorm(width, EPSILON)
        self.feed_forward = MixFeedForward(width)
        self.drop_path = DropPath(drop)

    def forward(self, x: Tensor) -> Tensor:
        """Return the refined map, [B, h, w, C] as the input."""
        x = x + self.drop_path(self.attention(self.attention_norm(x)))
        return x + self.drop_path(self.feed_forward(self.feed_forward_norm(x)))


class Attention(nn.Module):
    """Multi-head attention to a map made ``reduction`` times smaller per side."""

    def __init__(self, width: int, heads: int, reduction: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)
        if reduction > 1:
            self.reduction = nn.Conv2d(width, width, reduction, reduction)
            self.reduction_norm = nn.LayerNorm(width, CONVOLUTION_EPSILON)
        self.reduces = reduction > 1

    def forward(self, x: Tensor) -> Tensor:
        """Mix [B, h, w, C] over all positions."""
        source = self._reduce(x) if self.reduces else x
        queries, keys, values = self.query(x), self.key(source), self.value(source)
        mixed = F.scaled_dot_product_attention(self._split(queries), self._split(keys), self._split(values))
        return self.output(mixed.transpose(1, 2).reshape(x.shape))

    def _reduce(self, x: Tensor) -> Tensor:
        return self.reduction_norm(_channels_last(self.reduction(_channels_first(x))))

    def _split(self, x: Tensor) -> Tensor:
        """[B, h, w, C] to [B, heads, h·w, C ÷ heads]."""
        return x.flatten(1, 2).unflatten(-1, (self.heads, -1)).transpose(1, 2)


class MixFeedForward(nn.Module):
    """Linear → 3×3 depthwise convolution → GELU → linear."""

    def __init__(self, width: int) -> None:
        super().__init__()
        inner = EXPANSION * width
        self.expand = nn.Linear(width, inner)
        self.depthwise = nn.Conv2d(inner, inner, 3, padding=1, groups=inner)
        self.shrink = nn.Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        """Mix the channels of [B, h, w, C], and neighbouring positions."""
        x = _channels_last(self.depthwise(_channels_first(self.expand(x))))
        return self.shrink(F.gelu(x))


def _channels_first(x: Tensor) -> Tensor:
    """[B, h, w, C] to [B, C, h, w]."""
    return x.permute(0, 3, 1, 2)


def _channels_last(x: Tensor) -> Tensor:
    """[B, C, h, w] to [B, h, w, C]."""
    return x.permute(0, 2, 3, 1)


def _initialise(module: nn.Module) -> None:
    """Draw a layer's weights as the authors' code does."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Conv2d):
        fan_out = module.out_channels * math.prod(module.kernel_size) // module.groups
        nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))
        assert module.bias is not None
        nn.init.zeros_(module.bias)
