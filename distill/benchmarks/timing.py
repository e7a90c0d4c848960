"""Wall-clock time of short runs, and the machine they were measured on."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from statistics import median

import onnxruntime
import torch

from kd_seg_ros.benchmark.machine import cores, processor
from kd_seg_ros.benchmark.statistics import interleaved

WARM_UP = 2


def median_seconds(
    runs: Sequence[Callable[[], object]], budget: float = 10, least: int = 3, most: int = 50
) -> list[float]:
    """Time functions in turn (A B A B …, so that a drift of the machine hits all alike); return the medians.

    :param budget: stop after about so many seconds, but not before ``least`` rounds.
    :param most: rounds at most.
    """
    return [median(times) for times in interleaved(runs, budget, least, most, WARM_UP)]


def machine() -> str:
    """Name processor, GPU and versions, for the line below a table."""
    parts = [f"{processor()} ({cores()} cores)"]
    if torch.cuda.is_available():
        parts.append(f"{torch.cuda.get_device_name()} (driver CUDA {torch.version.cuda})")
    parts += [
        f"Python {platform.python_version()}",
        f"PyTorch {torch.__version__}",
        f"ONNX Runtime {onnxruntime.__version__}",
    ]
    return ", ".join(parts)
