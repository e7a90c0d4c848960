"""Networks laid out and named as their authors' repositories do, built here of plain layers and torchvision.

They are what imported weights are compared with: their outputs are computed by none of this project's code.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any

import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F


def fill(module: nn.Module, seed: int = 0) -> nn.Module:
    """Give every tensor values of its own, BatchNorm's statistics too, so that no two could be exchanged."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in module.state_dict().items():
        if name.endswith("running_var"):
            tensor.copy_(0.5 + torch.rand(tensor.shape, generator=generator))
        elif tensor.is_floating_point():
            fan = max(1, tensor[0].numel()) if tensor.ndim > 1 else 4
            tensor.copy_(torch.randn(tensor.shape, generator=generator) / fan**0.5)
            if name.endswith("weight") and tensor.ndim == 1:
                tensor.add_(1)
    return module.eval()


def resized(x: Tensor, size: Iterable[int], align: bool) -> Tensor:
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=align)


def _bn_relu_conv(width: int, out: int, kernel: int) -> nn.Sequential:
    parts = {
        "norm": nn.BatchNorm2d(width),
        "relu": nn.ReLU(),
        "conv": nn.Conv2d(width, out, kernel, padding=kernel // 2),
    }
    return nn.Sequential(OrderedDict(parts))


class Stages(nn.Module):
    """A torchvision network that returns its stages; its tensors keep their names."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        for name, child in network.named_children():
            self.add_module(name, child)

    def forward(self, x: Tensor) -> list[Tensor]:
        found = []
        if hasattr(self, "features"):  # ConvNeXt: stages are every other part
            for number, part in enumerate(self.features):  # type: ignore[arg-type]
                x = part(x)
                found += [x] if number % 2 else []
            return found
        x = self.maxpool(F.relu(self.bn1(self.conv1(x))))  # type: ignore[operator]
        for name in ("layer1", "layer2", "layer3", "layer4"):
            x = self.get_submodule(name)(x)
            found.append(x)
        return found


class UnizgSwiftNet(nn.Module):
    """The pyramidal SwiftNet: BatchNorms called bn exist per level, those of downsample once."""

    def __init__(self, network: nn.Module, widths: Sequence[int], dims: int, classes: int) -> None:
        super().__init__()
        self.backbone: Any = nn.Module()
        self.upsample: Any = nn.Module()
        self.backbone.network = Stages(network)
        norms = nn.ModuleDict()
        for name, module in self.backbone.network.named_modules():
            if "bn" in name:
                norms[name.replace(".", "/")] = module
        for level in (1, 2, 3):
            self.backbone.add_module(f"bn_modules_s{level}", norms if level == 1 else copy.deepcopy(norms))
            ups = nn.ModuleList(_bn_relu_conv(width, dims, 1) for width in widths)
            self.backbone.add_module(f"up{level}", ups)
        layers = []
        for _ in range(6):
            layer: Any = nn.Module()
            layer.blend_conv = _bn_relu_conv(dims, dims, 3)
            layers.append(layer)
        self.upsample.upsample_layers = nn.ModuleList(layers)
        self.logits = _bn_relu_conv(dims, classes, 1)

    def forward(self, image: Tensor) -> Tensor:
        sums: dict[int, Tensor] = {}
        x = image
        for level in (1, 2, 3):
            if level > 1:
                x = F.interpolate(x, scale_factor=0.5, mode="bilinear", align_corners=False)
            for key, norm in self.backbone.get_submodule(f"bn_modules_s{level}").named_children():
                path, _, last = key.replace("/", ".").rpartition(".")
                setattr(self.backbone.network.get_submodule(path), last, norm)
            ups: Any = self.backbone.get_submodule(f"up{level}")
            for stage, features in enumerate(self.backbone.network(x)):
                place = level - 1 + stage
                sums[place] = sums.get(place, 0) + ups[stage](features)
        x = sums[5]
        for number in range(5):
            skip = sums[4 - number]
            x = self.upsample.upsample_layers[number].blend_conv(resized(x, skip.shape[-2:], False) + skip)
        return resized(self.logits(x), image.shape[-2:], False)


def unizg_resnet18(dims: int = 16, classes: int = 19) -> UnizgSwiftNet:
    return UnizgSwiftNet(torchvision.models.resnet18(), (64, 128, 256, 512), dims, classes)


def unizg_convnext(kind: str = "tiny", dims: int = 16, classes: int = 19) -> UnizgSwiftNet:
    first = {"tiny": 96, "large": 192}[kind]
    network = getattr(torchvision.models, f"convnext_{kind}")()
    return UnizgSwiftNet(network, [first * 2**stage for stage in range(4)], dims, classes)


def as_convnexts_authors(name: str) -> str:
    """A torchvision ConvNeXt's name as ConvNeXt's authors call the tensor."""
    parts = name.split(".")
    if "features" not in parts:
        return name
    at = parts.index("features")
    number, rest = int(parts[at + 1]), parts[at + 2 :]
    if number % 2 == 0:
        new = ["downsample_layers", str(number // 2), *rest]
    else:
        block, *inner = rest
        if inner[0] == "block":
            layer = {"0": "dwconv", "2": "norm", "3": "pwconv1", "5": "pwconv2"}[inner[1]]
            inner = [layer, *inner[2:]]
        else:
            inner = ["gamma"]
        new = ["stages", str(number // 2), block, *inner]
    return ".".join(parts[:at] + new)


def _conv_bn_relu(width: int, out: int, kernel: int, bias: bool = False) -> nn.Sequential:
    convolution = nn.Conv2d(width, out, kernel, padding=kernel // 2, bias=bias)
    return nn.Sequential(convolution, nn.BatchNorm2d(out), nn.ReLU())


class DeepStem(nn.Module):
    """ResNet18 with three 3×3 convolutions first, and dilated second convolutions in the last two stages."""

    def __init__(self) -> None:
        super().__init__()
        network: Any = torchvision.models.resnet18()
        stem = nn.Sequential(
            *(nn.Conv2d(3, 64, 3, 2, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU()),
            *(nn.Conv2d(64, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU()),
            nn.Conv2d(64, 128, 3, 1, 1, bias=False),
        )
        self.layer0 = nn.Sequential(stem, nn.BatchNorm2d(128), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        first = torchvision.models.resnet.BasicBlock(
            128, 64, 1, nn.Sequential(nn.Conv2d(128, 64, 1, bias=False), nn.BatchNorm2d(64))
        )
        self.layer1 = nn.Sequential(first, network.layer1[1])
        self.layer2, self.layer3, self.layer4 = network.layer2, network.layer3, network.layer4
        for layer, dilation in ((self.layer3, 2), (self.layer4, 4)):
            for block in layer:
                block.conv2.dilation = block.conv2.padding = (dilation, dilation)


class _Pooling(nn.Module):
    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        stages = []
        for grid in (1, 2, 3, 6):
            pool = nn.AdaptiveAvgPool2d(grid)
            stages.append(nn.Sequential(pool, nn.Conv2d(width, out, 1, bias=False), nn.BatchNorm2d(out)))
        self.stages = nn.ModuleList(stages)
        self.bottleneck = _conv_bn_relu(width + 4 * out, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        pooled = [resized(stage(x), x.shape[-2:], True) for stage in self.stages]
        return self.bottleneck(torch.cat([*pooled, x], 1))


class _Align(nn.Module):
    def __init__(self, width: int, gated: bool) -> None:
        super().__init__()
        self.gated = gated
        self.down_h = nn.Conv2d(width, width // 2, 1, bias=False)
        self.down_l = nn.Conv2d(width, width // 2, 1, bias=False)
        self.flow_make = nn.Conv2d(width, 4 if gated else 2, 3, padding=1, bias=False)
        if gated:
            self.flow_gate = nn.Sequential(nn.Conv2d(4, 1, 3, padding=1, bias=False), nn.Sigmoid())

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        high = resized(self.down_h(coarse), fine.shape[-2:], True)
        flow = self.flow_make(torch.cat([high, self.down_l(fine)], 1))
        if not self.gated:
            return self.warp(coarse, flow)
        pooled = [high.mean(1), fine.mean(1), high.amax(1), fine.amax(1)]
        gate = self.flow_gate(torch.stack(pooled, 1))
        return gate * self.warp(coarse, flow[:, :2]) + (1 - gate) * self.warp(fine, flow[:, 2:])

    @staticmethod
    def warp(features: Tensor, flow: Tensor) -> Tensor:
        height, width = flow.shape[-2:]
        y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
        grid = torch.stack([x, y], -1) + flow.permute(0, 2, 3, 1) / torch.tensor([width, height])
        return F.grid_sample(features, grid, align_corners=True)


class SfSegNet(DeepStem):
    """SFNet, or SFNet-Lite with its head of deep supervision, which is never run."""

    def __init__(self, lite: bool, classes: int = 19) -> None:
        super().__init__()
        head: Any = nn.Module()
        self.lite = lite
        widths = (64, 256, 512) if lite else (64, 128, 256)
        head.ppm = _Pooling(512, 128)
        head.fpn_in = nn.ModuleList(_conv_bn_relu(width, 128, 1, bias=True) for width in widths)
        if lite:
            head.flow_align_module = _Align(128, gated=True)
            last = nn.Conv2d(128, classes, 1)
            supervision = [
                nn.Conv2d(128, 128, 3, padding=1),
                nn.BatchNorm2d(128),
                nn.ReLU(),
                nn.Dropout2d(),
                last,
            ]
            head.dsn = nn.Sequential(*supervision)
        else:
            head.fpn_out = nn.ModuleList(nn.Sequential(_conv_bn_relu(128, 128, 3)) for _ in widths)
            head.fpn_out_align = nn.ModuleList(_Align(128, gated=False) for _ in widths)
        inputs = 2 if lite else 4
        head.conv_last = nn.Sequential(_conv_bn_relu(inputs * 128, 128, 3), nn.Conv2d(128, classes, 1))
        self.head = head

    def forward(self, image: Tensor) -> Tensor:
        head: Any = self.head
        stages, x = [], self.layer0(image)
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
            stages.append(x)
        top = head.ppm(stages[-1])
        if self.lite:
            fused = head.flow_align_module(head.fpn_in[0](stages[0]), top)
            maps = [fused, resized(head.fpn_in[1](stages[2]), fused.shape[-2:], True)]
        else:
            maps = [top]
            for number in (2, 1, 0):
                lateral = head.fpn_in[number](stages[number])
                top = lateral + head.fpn_out_align[number](lateral, top)
                maps.insert(0, head.fpn_out[number](top))
            maps = [resized(each, maps[0].shape[-2:], True) for each in maps]
        return resized(head.conv_last(torch.cat(maps, 1)), image.shape[-2:], True)
