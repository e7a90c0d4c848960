"""HRNetV2 for segmentation with its authors' names and fusion, built of plain layers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.resnet import BasicBlock, Bottleneck


def _conv_bn(width: int, out: int, kernel: int, stride: int = 1, relu: bool = True) -> nn.Sequential:
    layers = [nn.Conv2d(width, out, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(out)]
    return nn.Sequential(*layers, *([nn.ReLU()] if relu else []))


class Exchange(nn.Module):
    """Branches of basic blocks, then every branch gets the sum of all."""

    def __init__(self, widths: Sequence[int], blocks: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList()
        for width in widths:
            self.branches.append(nn.Sequential(*[BasicBlock(width, width) for _ in range(blocks)]))
        rows = []
        for i, out in enumerate(widths):
            row: list[nn.Module | None] = []
            for j, width in enumerate(widths):
                if j > i:
                    row.append(_conv_bn(width, out, 1, relu=False))
                elif j == i:
                    row.append(None)
                else:
                    steps = [_conv_bn(width, width, 3, 2) for _ in range(i - j - 1)]
                    row.append(nn.Sequential(*steps, _conv_bn(width, out, 3, 2, relu=False)))
            rows.append(nn.ModuleList(row))  # type: ignore[arg-type]
        self.fuse_layers = nn.ModuleList(rows)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        maps = [branch(x) for branch, x in zip(self.branches, maps, strict=True)]
        results = []
        for i, row in enumerate(self.fuse_layers):
            total = torch.zeros_like(maps[i])
            for j, x in enumerate(maps):
                y = x if i == j else row[j](x)  # type: ignore[index]
                if j > i:
                    y = F.interpolate(y, size=maps[i].shape[-2:], mode="bilinear", align_corners=False)
                total = total + y
            results.append(torch.relu(total))
        return results


class SegHrNet(nn.Module):
    """The network; ``modules`` and ``blocks`` say how many there are in stages 2 to 4.

    :param first: width and number of the first stage's bottlenecks.
    """

    def __init__(
        self, width: int, first: tuple[int, int], modules: Sequence[int], blocks: int, classes: int
    ) -> None:
        super().__init__()
        inner, count = first
        self.conv1 = nn.Conv2d(3, 64, 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.conv2 = nn.Conv2d(64, 64, 3, 2, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(64)
        shortcut = _conv_bn(64, 4 * inner, 1, relu=False)
        later = [Bottleneck(4 * inner, inner) for _ in range(count - 1)]
        self.layer1 = nn.Sequential(Bottleneck(64, inner, 1, shortcut), *later)
        before = [4 * inner]
        for stage, number in zip((2, 3, 4), modules, strict=True):
            widths = [width * 2**branch for branch in range(stage)]
            steps: list[nn.Module | None] = []
            for branch, out in enumerate(widths):
                if branch == len(before):
                    steps.append(nn.Sequential(_conv_bn(before[-1], out, 3, 2)))
                else:
                    steps.append(None if before[branch] == out else _conv_bn(before[branch], out, 3))
            self.add_module(f"transition{stage - 1}", nn.ModuleList(steps))  # type: ignore[arg-type]
            self.add_module(
                f"stage{stage}", nn.Sequential(*(Exchange(widths, blocks) for _ in range(number)))
            )
            before = widths
        total = sum(before)
        mix = [nn.Conv2d(total, total, 1), nn.BatchNorm2d(total), nn.ReLU(), nn.Conv2d(total, classes, 1)]
        self.last_layer = nn.Sequential(*mix)

    def forward(self, image: Tensor) -> Tensor:
        x = torch.relu(self.bn1(self.conv1(image)))
        maps = [self.layer1(torch.relu(self.bn2(self.conv2(x))))]
        for stage in (2, 3, 4):
            maps = self.get_submodule(f"stage{stage}")(self._entered(stage, maps))
        size = maps[0].shape[-2:]
        stacked = [F.interpolate(x, size=size, mode="bilinear", align_corners=False) for x in maps]
        logits = self.last_layer(torch.cat(stacked, 1))
        return F.interpolate(logits, size=image.shape[-2:], mode="bilinear", align_corners=False)

    def _entered(self, stage: int, maps: list[Tensor]) -> list[Tensor]:
        """Bring the maps of one stage to the branches of the next."""
        steps = self.get_submodule(f"transition{stage - 1}")
        entered = []
        for branch in range(stage):
            source = maps[min(branch, len(maps) - 1)]
            step = steps._modules.get(str(branch))
            entered.append(source if step is None else step(source))
        return entered
