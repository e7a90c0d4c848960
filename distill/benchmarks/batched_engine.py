"""Several images in one run of the engine, as cameras of one process share it: correct, and how fast.

The suite ``batches`` measures the network alone; here everything around it is measured as well, as the
vehicle runs it with ``batch: true``, next to the engine that takes one image per run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from distill.benchmarks.timing import median_seconds
from distill.export.agreement import HALF_LIMITS
from kd_seg_ros.benchmark.result import Result, table
from kd_seg_ros.inference.batched_run import BatchedRun, open_batched
from kd_seg_ros.inference.binding import RunItem
from kd_seg_ros.inference.contract import DOMAIN_DISTANCE
from kd_seg_ros.inference.engine import Engine
from kd_seg_ros.inference.prediction import Prediction
from kd_seg_ros.inference.settings import SessionSettings

BATCHES: Final = (1, 2, 4)
"""Images per run."""


def run(paths: Sequence[Path], provider: str, seconds: float) -> Result:
    """Compare the answers of batches with those to single images, and measure both.

    :param paths: model files exported with ``--batch``.
    :param provider: a key of :data:`kd_seg_ros.inference.providers.PROVIDERS`.
    :param seconds: duration of each file's timing, at least.
    :return: not passed if an answer depends on the other images of its run.
    """
    figures = [_measure(path, provider, seconds) for path in paths]
    head = ["ms per image", "engine, one image per run", *(f"batch of {batch}" for batch in BATCHES)]
    head.append("equal pixels")
    rows = []
    for figure in figures:
        times = [f"{1e3 * time:.2f}" for time in figure["seconds_per_image"]]
        rows.append([f"`{figure['name']}`", *times, f"{figure['same']:.3%}"])
    text = (
        f"{table(head, rows)}\n\nFrom the camera's images to their maps; the first column is the engine as it"
        " runs without `batch`, with kernels of our own and a CUDA graph where there are any. "
        f"Provider {provider}."
    )
    return Result(text, figures, all(figure["same"] >= HALF_LIMITS.argmax for figure in figures))


def _measure(path: Path, provider: str, seconds: float) -> dict[str, Any]:
    """Measure one file; return its name, seconds per image, and the share of pixels with the same class."""
    engine = Engine(path, provider, cuda_graph=None)
    opened = open_batched(path, SessionSettings(provider))
    assert isinstance(opened.binding, BatchedRun)
    images = np.random.default_rng(0).integers(0, 256, (max(BATCHES), *engine.size, 3), dtype=np.uint8)
    answers = [Prediction.empty(engine.size) for _ in images]
    items = []
    for image, answer in zip(images, answers, strict=True):
        outputs = answer.arrays()
        if opened.binding.tells_distance:
            outputs[DOMAIN_DISTANCE] = np.empty(1, np.float32)
        items.append(RunItem(image, False, outputs))

    opened.binding.run_batch(items)
    same = [
        float(np.mean(engine.segment(image).mask == answer.mask))
        for image, answer in zip(images, answers, strict=True)
    ]
    out = Prediction.empty(engine.size)
    runs: list[Callable[[], object]] = [partial(engine.segment, images[0], out=out)]
    for batch in BATCHES:
        runs.append(partial(opened.binding.run_batch, items[:batch]))
    times = median_seconds(runs, seconds)
    per_image = [time / batch for time, batch in zip(times, (1, *BATCHES), strict=True)]
    return {"name": path.stem, "seconds_per_image": per_image, "same": min(same)}
