"""What is read from measured series."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Spread:
    """Median, 99th percentile and largest of a series; NaN of an empty one."""

    p50: float
    p99: float
    largest: float
    count: int


def spread(values: Sequence[float], factor: float = 1.0) -> Spread:
    """Summarise a series, times ``factor`` (percentiles interpolate linearly, as NumPy's)."""
    if not values:
        return Spread(math.nan, math.nan, math.nan, 0)
    p50, p99, largest = factor * np.percentile(values, [50, 99, 100])
    return Spread(float(p50), float(p99), float(largest), len(values))


def growth(x: Sequence[float], y: Sequence[float]) -> float:
    """Rise of the least-squares line through the points, from the first x to the last; in y's unit.

    With x̄ and ȳ the means: slope b = Σ (x−x̄)(y−ȳ) / Σ (x−x̄)², rise = b · (x_last − x_first). 0 if x does not
    move or has fewer than two points.
    """
    if len(x) < 2 or x[0] == x[-1]:
        return 0.0
    slope = np.polyfit(np.asarray(x, float) - x[0], y, 1)[0]
    return float(slope * (x[-1] - x[0]))


def interleaved(
    runs: Sequence[Callable[[], object]],
    budget: float,
    least: int = 3,
    most: int | None = None,
    warm_up: int = 2,
) -> list[list[float]]:
    """Time functions in turn, A B A B …, so that a drift of the machine hits all alike; seconds of each run.

    :param budget: stop after about so many seconds, but not before ``least`` rounds.
    :param most: rounds at most.
    :param warm_up: runs of each before, which do not count.
    """
    for run in runs:
        for _ in range(warm_up):
            run()
    times: list[list[float]] = [[] for _ in runs]
    end = time.perf_counter() + budget
    while len(times[0]) < least or (time.perf_counter() < end and len(times[0]) != most):
        for run, measured in zip(runs, times, strict=True):
            start = time.perf_counter()
            run()
            measured.append(time.perf_counter() - start)
    return times
