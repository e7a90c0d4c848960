"""Suite ``folding``: SwiftNet's per-level BatchNorms, folded into the convolutions or kept.

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

from distill.benchmarks.models import MEAN, STD, export
from distill.benchmarks.random_network import random_network
from distill.benchmarks.timing import median_seconds, torch_machine
from distill.models.backbone import LEVELS, PerLevelNorm, PyramidBackbone
from distill.models.catalogue import CAMERA_SIZE
from distill.models.deployed import DeployedModel
from distill.models.swiftnet import SwiftNet
from kd_seg_ros.benchmark.bare_run import random_image
from kd_seg_ros.benchmark.result import Result, table
from kd_seg_ros.inference.engine import Engine

NAME = "swiftnet_resnet18"


class FoldedBackbone(nn.Module):
    """One backbone per level, each with its BatchNorms folded into its convolutions."""

    def __init__(self, backbone: PyramidBackbone) -> None:
        super().__init__()
        levels = []
        for level in range(LEVELS):
            network = _with_norms_of(copy.deepcopy(backbone.network), level)
            levels.append(fuse(network))
        self.levels = nn.ModuleList(levels)

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


def run(seconds: float, size: tuple[int, int] = CAMERA_SIZE) -> Result:
    """Compare both in parameters, file size and time on the CPU.

    :param seconds: duration of the timing, at least.
    :param size: (H, W) of the camera's image.
    """
    network = random_network(NAME)
    assert isinstance(network, SwiftNet)
    variants = {"kept": network, "folded": folded(network)}
    figures: list[dict[str, Any]] = []
    engines = []
    image = random_image(size)
    with tempfile.TemporaryDirectory() as folder:
        for name, variant in variants.items():
            model = DeployedModel(variant, MEAN, STD, working_scale=1.0).eval()
            path = export(model, size, Path(folder) / f"{name}.onnx", half=True)
            full = export(model, size, Path(folder) / f"{name}32.onnx", half=False)
            count = sum(p.numel() for p in variant.parameters())
            figures.append({"norms": name, "parameters": count, "file_mb": path.stat().st_size / 1e6})
            engines += [Engine(path, "cpu"), Engine(full, "cpu")]
        times = median_seconds([partial(engine.segment, image) for engine in engines], seconds)
    for figure, half_time, full_time in zip(figures, times[::2], times[1::2], strict=True):
        figure |= {"fp16_ms": 1e3 * half_time, "fp32_ms": 1e3 * full_time}
    head = [
        f"BatchNorms of `{NAME}` at {size[0]}×{size[1]}",
        "parameters (M)",
        "file, FP16 (MB)",
        "CPU, FP16 file (ms)",
        "CPU, FP32 file (ms)",
    ]
    rows = [
        [
            figure["norms"],
            f"{figure['parameters'] / 1e6:.3f}",
            f"{figure['file_mb']:.1f}",
            f"{figure['fp16_ms']:.0f}",
            f"{figure['fp32_ms']:.0f}",
        ]
        for figure in figures
    ]
    return Result(f"{table(head, rows)}\n\nMeasured on: {torch_machine()}.", figures)
