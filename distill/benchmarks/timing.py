"""Wall-clock time of short runs, and the machine they were measured on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median

import torch

from kd_seg_ros.benchmark.machine import machine
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


def torch_machine() -> str:
    """Name processor, GPU and versions, PyTorch's included, for the line below a table."""
    cuda = f" (CUDA {torch.version.cuda})" if torch.cuda.is_available() else ""
    return machine(f"PyTorch {torch.__version__}{cuda}")
