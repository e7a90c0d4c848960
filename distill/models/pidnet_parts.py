"""The blocks of PIDNet: residual blocks, pyramid pooling, guided fusion, heads.

With σ the logistic function, ↑ bilinear resizing and p, i, d the maps of the three branches::

    Pag         σ·↑i + (1 − σ)·p,  σ = σ(Σ_c f_x(p) · ↑f_y(i)), one gate per pixel
    Bag         conv(σ(d)·p + (1 − σ(d))·i)
    Light_Bag   conv_p(p + (1 − σ(d))·i) + conv_i(i + σ(d)·p)
    DAPPM       y0 = s0(x);  yk = 3×3(↑sk(pool_k(x)) + y(k−1));  1×1[y0 … y4] + shortcut(x)
    PAPPM       the same with y(k−1) → y0, so that the four 3×3 become one of four groups

Attributes are named as in the authors' code, so that their files load.

Sources: Xu et al., *PIDNet: A Real-time Semantic Segmentation Network Inspired by PID Controllers*, CVPR
2023; DAPPM: Hong et al., *Deep Dual-resolution Networks for Real-time and Accurate Semantic Segmentation of
Road Scenes*, arXiv 2021.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from distill.models.output import upsample


def conv_bn(channels_in: int, channels_out: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Convolution without bias → BatchNorm."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(channels_out),
    )


def bn_relu_conv(channels_in: int, channels_out: int, kernel: int, groups: int = 1) -> nn.Sequential:
    """BatchNorm → ReLU → convolution without bias."""
    return nn.Sequential(
        nn.BatchNorm2d(channels_in),
        nn.ReLU(inplace=False),
        nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2, groups=groups, bias=False),
    )


def shortcut(channels_in: int, channels_out: int, stride: int) -> nn.Sequential | None:
    """Project a residual block's input where its output has another shape."""
    if stride == 1 and channels_in == channels_out:
        return None
    return conv_bn(channels_in, channels_out, 1, stride)


class BasicBlock(nn.Module):
    """Residual block of two 3×3 convolutions, [B, c, h, w] → [B, width, h/stride, w/stride].

    :param rectify: whether a ReLU ends it.
    """

    def __init__(self, channels_in: int, width: int, stride: int = 1, rectify: bool = False) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv_bn(channels_in, width, 3, stride)
        self.conv2, self.bn2 = conv_bn(width, width, 3)
        self.downsample = shortcut(channels_in, width, stride)
        self.rectify = rectify

    def forward(self, x: Tensor) -> Tensor:
        """Add the convolved map to the input."""
        residual = x if self.downsample is None else self.downsample(x)
        out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))) + residual
        return F.relu(out) if self.rectify else out


class Bottleneck(nn.Module):
    """Residual block 1×1 → 3×3 → 1×1, [B, c, h, w] → [B, 2·width, h/stride, w/stride]; no ReLU ends it."""

    def __init__(self, channels_in: int, width: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv_bn(channels_in, width, 1)
        self.conv2, self.bn2 = conv_bn(width, width, 3, stride)
        self.conv3, self.bn3 = conv_bn(width, 2 * width, 1)
        self.downsample = shortcut(channels_in, 2 * width, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Add the convolved map to the input."""
        residual = x if self.downsample is None else self.downsample(x)
        out = F.relu(self.bn1(self.conv1(x)))
        out = F.relu(self.bn2(self.conv2(out)))
        return self.bn3(self.conv3(out)) + residual


def basic_blocks(channels_in: int, width: int, count: int, stride: int = 1) -> nn.Sequential:
    """Put ``count`` basic blocks in a row; no ReLU ends the last, because the branches meet before it."""
    return nn.Sequential(
        BasicBlock(channels_in, width, stride, rectify=count > 1),
        *(BasicBlock(width, width, rectify=n < count) for n in range(2, count + 1)),
    )


class Pag(nn.Module):
    """Pixel-attention-guided fusion: how much of the I branch the P branch takes, pixel by pixel."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.f_x = conv_bn(channels, width, 1)
        self.f_y = conv_bn(channels, width, 1)

    def forward(self, p: Tensor, i: Tensor) -> Tensor:
        """Blend p [B, C, h, w] with i [B, C, h', w'], resized."""
        size = p.shape[-2:]
        gate = torch.sigmoid((self.f_x(p) * upsample(self.f_y(i), size)).sum(dim=1, keepdim=True))
        return gate * upsample(i, size) + (1 - gate) * p


class Bag(nn.Module):
    """Boundary-attention-guided fusion: detail on boundaries, context elsewhere. All [B, C, h, w]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = bn_relu_conv(channels, channels, 3)

    def forward(self, p: Tensor, i: Tensor, d: Tensor) -> Tensor:
        """Blend p and i by d."""
        gate = torch.sigmoid(d)
        return self.conv(gate * p + (1 - gate) * i)


class LightBag(nn.Module):
    """:class:`Bag` with two 1×1 convolutions in place of one 3×3."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_p = conv_bn(channels, channels, 1)
        self.conv_i = conv_bn(channels, channels, 1)

    def forward(self, p: Tensor, i: Tensor, d: Tensor) -> Tensor:
        """Blend p and i by d."""
        gate = torch.sigmoid(d)
        return self.conv_p(p + (1 - gate) * i) + self.conv_i(i + gate * p)


def pooled_scale(pool: nn.Module, channels_in: int, width: int) -> nn.Sequential:
    """Pooling → BatchNorm → ReLU → 1×1 convolution without bias."""
    return nn.Sequential(pool, *bn_relu_conv(channels_in, width, 1))


class PyramidPooling(nn.Module):
    """The base of DAPPM and PAPPM: it mixes the map, the map pooled at three scales, and its mean.

    The zeros around the map count in the averages of scales 1 to 3.

    :param width: channels of each scale.
    """

    def __init__(self, channels_in: int, width: int, channels_out: int) -> None:
        super().__init__()
        self.scale0 = bn_relu_conv(channels_in, width, 1)
        self.scale1 = pooled_scale(nn.AvgPool2d(5, stride=2, padding=2), channels_in, width)
        self.scale2 = pooled_scale(nn.AvgPool2d(9, stride=4, padding=4), channels_in, width)
        self.scale3 = pooled_scale(nn.AvgPool2d(17, stride=8, padding=8), channels_in, width)
        self.scale4 = pooled_scale(nn.AdaptiveAvgPool2d(1), channels_in, width)
        self.compression = bn_relu_conv(5 * width, channels_out, 1)
        self.shortcut = bn_relu_conv(channels_in, channels_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, channels_in, h, w] to [B, channels_out, h, w]."""
        scales = (self.scale1, self.scale2, self.scale3, self.scale4)
        pooled = [upsample(scale(x), x.shape[-2:]) for scale in scales]
        return self.compression(torch.cat(self.process(self.scale0(x), pooled), dim=1)) + self.shortcut(x)

    def process(self, finest: Tensor, pooled: list[Tensor]) -> list[Tensor]:
        """Mix the scales, each [B, width, h, w], into maps of 5·width channels in all."""
        raise NotImplementedError


class Dappm(PyramidPooling):
    """Deep aggregation: each scale is mixed with the one before it."""

    def __init__(self, channels_in: int, width: int, channels_out: int) -> None:
        super().__init__(channels_in, width, channels_out)
        self.process1 = bn_relu_conv(width, width, 3)
        self.process2 = bn_relu_conv(width, width, 3)
        self.process3 = bn_relu_conv(width, width, 3)
        self.process4 = bn_relu_conv(width, width, 3)

    def process(self, finest: Tensor, pooled: list[Tensor]) -> list[Tensor]:
        """Go from the finest scale to the mean."""
        maps = [finest]
        steps = (self.process1, self.process2, self.process3, self.process4)
        for step, scale in zip(steps, pooled, strict=True):
            maps.append(step(scale + maps[-1]))
        return maps


class Pappm(PyramidPooling):
    """Parallel aggregation: each scale is mixed with the finest, all at once."""

    def __init__(self, channels_in: int, width: int, channels_out: int) -> None:
        super().__init__(channels_in, width, channels_out)
        self.scale_process = bn_relu_conv(4 * width, 4 * width, 3, groups=4)

    def process(self, finest: Tensor, pooled: list[Tensor]) -> list[Tensor]:
        """Mix by one grouped convolution."""
        return [finest, self.scale_process(torch.cat([scale + finest for scale in pooled], dim=1))]


class Head(nn.Module):
    """BatchNorm → ReLU → 3×3 convolution → BatchNorm → ReLU → 1×1 convolution with bias."""

    def __init__(self, channels_in: int, width: int, channels_out: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(channels_in)
        self.conv1, self.bn2 = conv_bn(channels_in, width, 3)
        self.conv2 = nn.Conv2d(width, channels_out, 1)

    def pre_logits(self, x: Tensor) -> Tensor:
        """Return the map [B, width, h, w] that the last convolution reads."""
        return F.relu(self.bn2(self.conv1(F.relu(self.bn1(x)))))

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, channels_in, h, w] to [B, channels_out, h, w]."""
        return self.conv2(self.pre_logits(x))
