"""Flow alignment: a coarse map is enlarged to a fine one's grid along a learnt offset per pixel.

A pixel of the result reads the coarse map bilinearly at a place that its flow Δ displaces. In coordinates in
which the centres of the corner pixels of both maps lie at −1 and 1 (``align_corners``), and for a result of
W×H pixels, pixel (i, j) reads at ::

    x = 2i/(W − 1) − 1 + Δ_x/W        y = 2j/(H − 1) − 1 + Δ_y/H

so that Δ is measured in about half pixels of the result. With Δ = 0 this is bilinear upsampling. Beyond its
edge a map is 0. All of it is as in the authors' code, so that their weights fit.

Sources: Li et al., *Semantic Flow for Fast and Accurate Scene Parsing*, ECCV 2020 (:class:`FlowAlignment`);
Li et al., *SFNet: Faster and Accurate Semantic Segmentation via Semantic Flow*, IJCV 2024
(:class:`GatedDualFlowAlignment`).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from distill.models.output import upsample


def warp(features: Tensor, flow: Tensor) -> Tensor:
    """Read ``features`` at the pixels of ``flow``, displaced by it; beyond the edge is 0.

    :param features: [B, C, h, w].
    :param flow: [B, 2, H, W], displacement in x and y, where W and H stand for half the map.
    :returns: [B, C, H, W]. Positions and sampling are in FP32: in half precision a pixel of a wide map has
        no exact position, and ONNX Runtime's CUDA kernel of GridSample knows no half.
    """
    height, width = int(flow.shape[-2]), int(flow.shape[-1])
    # The centres of the result's pixels in grid_sample's coordinates, and the flow in the same unit.
    y = torch.linspace(-1, 1, height, dtype=torch.float32, device=flow.device)
    x = torch.linspace(-1, 1, width, dtype=torch.float32, device=flow.device)
    dx, dy = flow.float().unbind(dim=1)
    grid = torch.stack([x + dx / width, y[:, None] + dy / height], dim=-1)
    sampled = F.grid_sample(features.float(), grid, mode="bilinear", padding_mode="zeros", align_corners=True)
    return sampled.to(features.dtype)


class _Projected(nn.Module):
    """Projects both maps to half the channels and the fine map's size; flow and gate are made from them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fine = nn.Conv2d(channels, channels // 2, 1, bias=False)
        self.coarse = nn.Conv2d(channels, channels // 2, 1, bias=False)

    def forward(self, fine: Tensor, coarse: Tensor) -> tuple[Tensor, Tensor]:
        """Return both projected maps, [B, channels/2, H, W]."""
        return self.fine(fine), upsample(self.coarse(coarse), fine.shape[-2:], align_corners=True)


class FlowAlignment(nn.Module):
    """The flow alignment module (FAM): the coarse map, aligned with the fine one."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.project = _Projected(channels)
        self.flow = nn.Conv2d(channels // 2 * 2, 2, 3, padding=1, bias=False)

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """Return ``coarse`` [B, C, h, w] at the size of ``fine`` [B, C, H, W]."""
        return warp(coarse, self.flow(torch.cat(self.project(fine, coarse), dim=1)))


class GatedDualFlowAlignment(nn.Module):
    """The gated dual flow alignment module (GD-FAM): both maps aligned and blended by a gate per pixel.

    With g = sigmoid(conv of the channel-wise mean and maximum of the fine map and of the projected coarse
    one)::

        g · warp(coarse, Δ_coarse) + (1 − g) · warp(fine, Δ_fine)
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.project = _Projected(channels)
        self.flow = nn.Conv2d(channels // 2 * 2, 4, 3, padding=1, bias=False)
        self.gate = nn.Conv2d(4, 1, 3, padding=1, bias=False)

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """Blend ``coarse`` [B, C, h, w] into ``fine`` [B, C, H, W]."""
        projected = self.project(fine, coarse)
        flow = self.flow(torch.cat(projected, dim=1))
        pooled = []
        # Of the fine map as it is, not projected: so the authors' code, for which their weights are made.
        for features in (fine, projected[1]):
            pooled += [features.mean(dim=1, keepdim=True), features.amax(dim=1, keepdim=True)]
        gate = torch.sigmoid(self.gate(torch.cat(pooled, dim=1)))
        return gate * warp(coarse, flow[:, :2]) + (1 - gate) * warp(fine, flow[:, 2:])
