"""Adapters: bring a feature map of the student to the channels of a teacher's map and onto its grid.

A :class:`~distill.losses.projector.Projector` makes the student's c channels the teacher's C; where sizes
differ, the result is then read at the centres of the teacher's cells. With n cells over the image and its
padding of s pixels, a of which lie left of the image, the centre of cell j is at the image's pixel
coordinate ::

    x(j) = (j + ½)·s/n − a

and likewise in y; between the student's centres values are bilinear, beyond the outermost they stay. So two
networks that pad the same image differently are compared at the same places of it. There is no
antialiasing: onto a grid half as fine, 2×2 cells are averaged; onto a coarser one, cells are skipped.

Several maps of the student become one in one of two ways, on the teacher's grid, where the maps are F_i with
c_i channels, n of them:

- concatenation: the maps are read on the teacher's grid, stacked, and projected from Σ c_i channels to C;
- attention: each map is projected to C channels, G_i, and read on the teacher's grid; the result is
  Σ_i a_i·G_i with a = softmax over i of a 1×1 convolution of the stacked G, one weight per map and pixel.

Extra parameters: k·(c + 1)·C for k projectors, with c = Σ c_i where maps are stacked; with attention those
of n projectors and n·(n·C + 1). They learn with the student and are not exported.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from distill.config.objective import AdapterConfig
from distill.losses.projector import Projector
from distill.training.feature_maps import FeatureMap, FeatureShape


class Adapter(nn.Module):
    """Brings maps of the student to the channels, height and width of the teacher's, and fuses several.

    :param students: shapes of the student's maps.
    :param teacher: shape of the teacher's map.
    """

    def __init__(
        self, students: Sequence[FeatureShape], teacher: FeatureShape, config: AdapterConfig
    ) -> None:
        super().__init__()
        widths = [student.channels for student in students]
        width = teacher.channels
        self.attention: nn.Conv2d | None = None
        if config.fuse == "attention" and len(students) > 1:
            self.attention = nn.Conv2d(len(students) * width, len(students), 1)
            self.projectors = nn.ModuleList(
                Projector(own, width, config.projectors, config.relu) for own in widths
            )
        else:
            self.projector = Projector(sum(widths), width, config.projectors, config.relu)

    def forward(self, students: Sequence[FeatureMap], teacher: FeatureMap) -> Tensor:
        """Return the student's maps [B, c_i, h_i, w_i] as one map [B, C, H, W] on the teacher's grid."""
        first = students[0]
        if len(students) == 1:
            return resample(first._replace(values=self.projector(first.values)), teacher)
        if self.attention is None:
            read = [resample(student, teacher) for student in students]
            stacked: Tensor = self.projector(torch.cat(read, dim=1))
            return stacked
        # Each map in the teacher's channels, and how much it counts at each pixel.
        projected = []
        for student, projector in zip(students, self.projectors, strict=True):
            projected.append(resample(student._replace(values=projector(student.values)), teacher))
        shares = self.attention(torch.cat(projected, dim=1)).softmax(dim=1)
        return (shares.unsqueeze(2) * torch.stack(projected, dim=1)).sum(dim=1)

    def describe(self) -> str:
        """Say for the log how many projectors and parameters there are."""
        count = 0
        for module in self.modules():
            if isinstance(module, Projector):
                count += len(module.projections)
        parameters = f"{sum(p.numel() for p in self.parameters()):,}".replace(",", " ")
        plural = "s" if count > 1 else ""
        fused = ", attention" if self.attention is not None else ""
        return f"{count} projector{plural}{fused}, {parameters} extra parameters, training only"


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
