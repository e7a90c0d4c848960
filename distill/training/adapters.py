"""Adapters: bring a feature map of the student to the channels of a teacher's map and onto its grid.

A :class:`~distill.losses.projector.Projector` makes the student's c channels the teacher's C; where sizes
differ, the result is then read at the centres of the teacher's cells. With n cells over the image and its
padding of s pixels, a of which lie left of the image, the centre of cell j is at the image's pixel
coordinate ::

    x(j) = (j + ½)·s/n − a

and likewise in y; between the student's centres values are bilinear, beyond the outermost they stay. So two
networks that pad the same image differently are compared at the same places of it. There is no
antialiasing: onto a grid half as fine, 2×2 cells are averaged; onto a coarser one, cells are skipped.

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
    """Brings the student's map to the channels, height and width of the teacher's.

    :param student: shape of the student's map.
    :param teacher: shape of the teacher's map.
    """

    def __init__(self, student: FeatureShape, teacher: FeatureShape, config: AdapterConfig) -> None:
        super().__init__()
        self.projector = Projector(student.channels, teacher.channels, config.projectors, config.relu)

    def forward(self, student: FeatureMap, teacher: FeatureMap) -> Tensor:
        """Return the student's map [B, c, h, w] as [B, C, H, W], on the teacher's grid."""
        return resample(student._replace(values=self.projector(student.values)), teacher)

    def describe(self) -> str:
        """Say for the log how many projectors and parameters there are."""
        count = len(self.projector.projections)
        parameters = f"{sum(p.numel() for p in self.parameters()):,}".replace(",", " ")
        plural = "s" if count > 1 else ""
        return f"{count} projector{plural}, {parameters} extra parameters, training only"


def resample(source: FeatureMap, target: FeatureMap) -> Tensor:
    """Read a map at the cell centres of another one of the same image, bilinearly."""
    values = source.values
    height, width = int(target.values.shape[-2]), int(target.values.shape[-1])
    if tuple(values.shape[-2:]) == (height, width) and source.padding == target.padding:
        return values
    if values.dtype in (torch.float16, torch.bfloat16):
        values = values.float()
    # grid_sample reads the source at these places, in its coordinates of −1…1 from edge to edge.
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
    """Return the centres of the target's cells along one axis, from −1 to 1 over what the source covers.

    :param cells: number of the target's cells along the axis.
    :param source: pixels of padding that the source covers before and after the image.
    :param target: pixels of padding that the target covers before and after the image.
    :param length: pixels of the image along the axis.
    :param like: gives the type and device of the result.
    """
    source_length = sum(source) + length
    target_length = sum(target) + length
    centres = torch.arange(cells, dtype=like.dtype, device=like.device) + 0.5
    # From cells to pixels of the image, x(j) of the module's docstring; then to −1…1 over the source.
    pixels = centres * (target_length / cells) - target[0]
    return (pixels + source[0]) * (2 / source_length) - 1
