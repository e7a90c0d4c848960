"""Suite ``folding``: SwiftNet's per-level BatchNorms, folded into the convolutions or kept as they are.

The three pyramid levels share their convolutions but not their BatchNorms, so that folding needs a copy of
the backbone's weights per level.
"""

from __future__ import annotations

import copy
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.fx.experimental.optimization import fuse

from distill.benchmarks.models import MEAN, STD, export, random_image
from distill.benchmarks.random_network import random_network
from distill.benchmarks.timing import machine, median_seconds
from distill.models.backbone import LEVELS, PerLevelNorm, PyramidBackbone
from distill.models.deployed import DeployedModel
from distill.models.swiftnet import SwiftNet
from kd_seg_ros.inference.engine import Engine

NAME = "swiftnet_resnet18"


class FoldedBackbone(nn.Module):
    """One backbone per level, each with its BatchNorms folded into its convolutions."""

    def __init__(self, backbone: PyramidBackbone) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            fuse(_with_norms_of(copy.deepcopy(backbone.network), level)) for level in range(LEVELS)
        )

    def forward(self, image: Tensor, level: int) -> list[Tensor]:
        """Return the four stage outputs, as :class:`~distill.models.backbone.PyramidBackbone` does."""
        return self.levels[level](image)


def _with_norms_of(network: nn.Module, level: int) -> nn.Module:
    """Replace the per-level BatchNorms by those of one level."""
    for name, child in network.named_children():
        if isinstance(child, PerLevelNorm):
            setattr(network, name, child.norms[level])
        else:
            _with_norms_of(child, level)
    return network


def folded(network: SwiftNet) -> SwiftNet:
    """Copy a network in evaluation mode, with the backbone's BatchNorms folded."""
    result = copy.deepcopy(network)
    result.backbone = FoldedBackbone(network.backbone)  # type: ignore[assignment]
    return result.eval()


def run(budget: float, size: tuple[int, int]) -> tuple[str, list[dict[str, Any]]]:
    """Compare both in parameters, file size and time on the CPU; return a table and its figures."""
    network = random_network(NAME)
    assert isinstance(network, SwiftNet)
    variants = {"kept": network, "folded": folded(network)}
    rows: list[dict[str, Any]] = []
    engines = []
    image = random_image(size)
    with tempfile.TemporaryDirectory() as folder:
        for name, variant in variants.items():
            model = DeployedModel(variant, MEAN, STD, working_scale=1.0).eval()
            path = export(model, size, Path(folder) / f"{name}.onnx", half=True)
            full = export(model, size, Path(folder) / f"{name}32.onnx", half=False)
            count = sum(p.numel() for p in variant.parameters())
            rows.append({"norms": name, "parameters": count, "file_mb": path.stat().st_size / 1e6})
            engines += [Engine(path, "cpu"), Engine(full, "cpu")]
        times = median_seconds([partial(e.segment, image) for e in engines], budget)
    for row, half_time, full_time in zip(rows, times[::2], times[1::2], strict=True):
        row |= {"fp16_ms": 1e3 * half_time, "fp32_ms": 1e3 * full_time}
    lines = [
        f"| BatchNorms of `{NAME}` at {size[0]}×{size[1]} | parameters (M) | file, FP16 (MB) "
        "| CPU, FP16 file (ms) | CPU, FP32 file (ms) |",
        "|---|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {row['norms']} | {row['parameters'] / 1e6:.3f} | {row['file_mb']:.1f} "
        f"| {row['fp16_ms']:.0f} | {row['fp32_ms']:.0f} |"
        for row in rows
    ]
    return "\n".join(lines) + f"\n\nMeasured on: {machine()}.", rows
