"""Suite ``metrics``: one pass over an image's predictions against torchmetrics' three over the same.

Both are given the probabilities of one image of 1080×1920 in 19 classes and give the confusion matrix, the
ECE of 15 bins and the AUPRC per class of 20 thresholds. Ours also gives class-wise ECE, Brier score and NLL.
torchmetrics' checks of its arguments are off, as they cost time too.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.classification import (
    MulticlassAveragePrecision,
    MulticlassCalibrationError,
    MulticlassConfusionMatrix,
)

from distill.benchmarks.timing import median_seconds, torch_machine
from distill.metrics.accumulator import Accumulator
from distill.models.catalogue import CAMERA_SIZE
from kd_seg_ros.benchmark.result import Result, table
from kd_seg_ros.common.classes import IGNORE_ID, NUM_CLASSES

SMALL = (90, 160)
"""Size at which torchmetrics' float32 sums are exact enough to compare."""

TOLERANCE = 1e-6


def run(seconds: float, size: tuple[int, int] = CAMERA_SIZE) -> Result:
    """Check that both give the same values, then time them in turn.

    :param seconds: duration of the timing, at least.
    :param size: (H, W) of the predictions.
    :raises RuntimeError: if a value differs by more than 1e-6.
    """
    apart = difference(*random_predictions(SMALL))
    if not apart <= TOLERANCE:
        raise RuntimeError(f"ours and torchmetrics' values differ by {apart:.1e}")
    probabilities, labels = random_predictions(size)
    routes: dict[str, Callable[[], object]] = {
        f"torchmetrics, {name}": partial(_measure, metric, probabilities, labels)
        for name, metric in torchmetrics_route().items()
    }
    routes["ours, all in one pass"] = partial(one_pass, probabilities, labels)
    times = dict(zip(routes, median_seconds(list(routes.values()), seconds), strict=True))
    ours = times["ours, all in one pass"]
    theirs = sum(times.values()) - ours
    figures: list[dict[str, Any]] = [{"route": route, "seconds": value} for route, value in times.items()]
    figures.append({"route": "torchmetrics, all", "seconds": theirs, "ratio": theirs / ours})
    height, width = size
    rows = [[figure["route"], f"{figure['seconds']:.2f}"] for figure in figures]
    rows.append(["**ratio**", f"**{theirs / ours:.1f}×**"])
    head = [f"scores of {height}×{width}×{NUM_CLASSES} probabilities", "seconds"]
    threads = f"{torch.get_num_threads()} thread(s)"
    note = f"Largest difference of a value at {SMALL[0]}×{SMALL[1]}: {apart:.0e}."
    return Result(f"{table(head, rows)}\n\n{note} Measured on: {torch_machine()}, {threads}.", figures)


def random_predictions(size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Make float32 [C, H, W] that is right on nine pixels of ten, and uint8 [H, W] with a tenth ignored."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(NUM_CLASSES, size, generator=generator)
    logits = 2 * torch.randn(NUM_CLASSES, *size, generator=generator)
    logits.scatter_add_(0, labels[None], torch.full((1, *size), 6.5))
    labels[torch.rand(size, generator=generator) < 0.1] = IGNORE_ID
    return logits.softmax(0), labels.to(torch.uint8)


def torchmetrics_route() -> dict[str, Metric]:
    """Return torchmetrics' three metrics by name."""
    options: dict[str, Any] = {
        "num_classes": NUM_CLASSES,
        "ignore_index": IGNORE_ID,
        "validate_args": False,
    }
    return {
        "confusion matrix": MulticlassConfusionMatrix(**options),
        "calibration error": MulticlassCalibrationError(n_bins=15, **options),
        "average precision": MulticlassAveragePrecision(average="none", thresholds=20, **options),
    }


def one_pass(probabilities: Tensor, labels: Tensor) -> tuple[Any, ...]:
    """Return confusion matrix, ECE and AUPRC per class; after them class-wise ECE, Brier score and NLL."""
    scores = Accumulator(NUM_CLASSES, ignore=IGNORE_ID)
    scores.update(probabilities, labels)
    same = scores.confusion[:, :-1], scores.bins().ece_torchmetrics(), scores.auprc().per_class
    return *same, scores.classwise_ece(), scores.brier(), scores.nll()


def difference(probabilities: Tensor, labels: Tensor) -> float:
    """Largest difference of a value; confusion matrices that differ are infinitely far apart."""
    theirs = [_measure(metric, probabilities, labels).numpy() for metric in torchmetrics_route().values()]
    ours = one_pass(probabilities, labels)
    if not np.array_equal(ours[0], theirs[0]):
        return float("inf")
    return max(float(np.abs(a - b).max()) for a, b in zip(ours[1:3], theirs[1:], strict=True))


def _measure(metric: Metric, probabilities: Tensor, labels: Tensor) -> Tensor:
    metric.reset()
    metric.update(probabilities[None], labels[None].long())
    value: Tensor = metric.compute()
    metric.reset()
    return value
