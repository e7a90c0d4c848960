"""Wall-clock time of short runs, and the machine they were measured on."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import onnxruntime
import torch

WARM_UP = 2


def median_seconds(
    runs: Sequence[Callable[[], object]], budget: float = 10, least: int = 3, most: int = 50
) -> list[float]:
    """Time functions in turn (A B A B …, so that a drift of the machine hits all alike); return the medians.

    :param budget: stop after about so many seconds, but not before ``least`` rounds.
    :param most: rounds at most.
    """
    for run in runs:
        for _ in range(WARM_UP):
            run()
    times: list[list[float]] = [[] for _ in runs]
    end = time.perf_counter() + budget
    while len(times[0]) < least or (time.perf_counter() < end and len(times[0]) < most):
        for run, measured in zip(runs, times, strict=True):
            start = time.perf_counter()
            run()
            measured.append(time.perf_counter() - start)
    return [median(measured) for measured in times]


def machine() -> str:
    """Name processor, GPU and versions, for the line below a table."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    parts = [f"{_processor()} ({cores} cores)"]
    if torch.cuda.is_available():
        parts.append(f"{torch.cuda.get_device_name()} (driver CUDA {torch.version.cuda})")
    parts += [
        f"Python {platform.python_version()}",
        f"PyTorch {torch.__version__}",
        f"ONNX Runtime {onnxruntime.__version__}",
    ]
    return ", ".join(parts)


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8", errors="replace").splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
