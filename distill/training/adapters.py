"""Adapters: bring a map of the student to the width of one of the teacher's and onto its grid.

A :class:`~distill.losses.projector.Projector` makes the student's c channels the teacher's C; where sizes
differ, the result is then read at the centres of the teacher's cells. With n cells over the image and its
padding of s pixels, a of which lie left of the image, the centre of cell j is at the image's pixel
coordinate ::

    x(j) = (j + ½)·s/n − a

and likewise in y; between the student's centres values are bilinear, beyond the outermost they stay. So two
networks that pad the same image differently are compared at the same places of it. There is no
antialiasing: onto a grid half as fine, 2×2 cells are averaged; onto a coarser one, cells are passed over.

Extra parameters: k·(c + 1)·C for k projectors. They learn with the student and are not exported.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from distill.config.objective import AdapterConfig
from distill.losses.projector import Projector
from distill.training.feature_maps import FeatureMap, FeatureShape


class Adapter(nn.Module):
    """From the student's map to the teacher's channels, height and width."""

    def __init__(self, student: FeatureShape, teacher: FeatureShape, config: AdapterConfig) -> None:
        super().__init__()
        self.projector = Projector(student.channels, teacher.channels, config.projectors, config.relu)

    def forward(self, student: FeatureMap, teacher: FeatureMap) -> Tensor:
        """Project the student's [B, c, h, w] and lay it on the teacher's grid: [B, C, H, W]."""
        return resample(student._replace(values=self.projector(student.values)), teacher)

    def describe(self) -> str:
        """Say how many projectors and parameters there are, for the log."""
        count = len(self.projector.projections)
        parameters = f"{sum(p.numel() for p in self.parameters()):,}".replace(",", " ")
        plural = "s" if count > 1 else ""
        return f"{count} projector{plural}, {parameters} extra parameters, training only"


def resample(source: FeatureMap, target: FeatureMap) -> Tensor:
    """Read a map at the cell centres of another one of the same image, bilinearly."""
    values = source.values
    height, width = (int(n) for n in target.values.shape[-2:])
    if tuple(values.shape[-2:]) == (height, width) and source.padding == target.padding:
        return values
    if values.dtype in (torch.float16, torch.bfloat16):
        values = values.float()
    x = _positions(width, source.padding[:2], target.padding[:2], source.image[1], values)
    y = _positions(height, source.padding[2:], target.padding[2:], source.image[0], values)
    grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)
    return F.grid_sample(
        values,
        grid.expand(len(values), -1, -1, -1),
        mode="bilinear",
        padding_mode="border",
        align_corners=False,
    )


def _positions(
    cells: int, source: tuple[int, int], target: tuple[int, int], length: int, like: Tensor
) -> Tensor:
    """Centres of the target's cells along one axis, from −1 to 1 over what the source covers."""
    covered, onto = sum(source) + length, sum(target) + length
    centres = torch.arange(cells, dtype=like.dtype, device=like.device) + 0.5
    pixels = centres * (onto / cells) - target[0]
    return (pixels + source[0]) * (2 / covered) - 1
