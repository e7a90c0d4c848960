"""Pyramid pooling: every pixel gets averages over the whole image, its halves, thirds and sixths.

The map is averaged over k×k regions for k = 1, 2, 3, 6; each average is projected and brought back to the
map's size, and all are stacked with the map itself.

Source: Zhao et al., *Pyramid Scene Parsing Network*, CVPR 2017.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from distill.models.output import upsample

GRIDS = (1, 2, 3, 6)


class PyramidPooling(nn.Module):
    """[B, channels_in, h, w] → [B, channels_out, h, w]."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.projections = nn.ModuleList(
            nn.Sequential(nn.Conv2d(channels_in, channels_out, 1, bias=False), nn.BatchNorm2d(channels_out))
            for _ in GRIDS
        )
        self.merge = nn.Sequential(
            nn.Conv2d(channels_in + len(GRIDS) * channels_out, channels_out, 1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(inplace=False),
            nn.Dropout2d(0.1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Add the context of the whole image to every pixel."""
        pooled = [
            upsample(projection(F.adaptive_avg_pool2d(x, grid)), x.shape[-2:], align_corners=True)
            for grid, projection in zip(GRIDS, self.projections, strict=True)
        ]
        return self.merge(torch.cat([*pooled, x], dim=1))
