"""Suite ``gpu``: the engine on an NVIDIA GPU, in every way it can be run, next to what is possible.

End to end: from an image in the computer's memory to mask and confidence there. Next to it, in turn with
it, the network alone on the GPU's own buffers; and the same pre- and post-processing by OpenCV and NumPy. The
floor of a frame is the larger of operations / peak rate and bytes / bandwidth, of numbers the caller gives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from kd_seg_ros.benchmark.bare_run import random_image
from kd_seg_ros.benchmark.gpu_table import text
from kd_seg_ros.benchmark.host_route import image_maps, network_image
from kd_seg_ros.benchmark.machine import nvidia_gpu
from kd_seg_ros.benchmark.result import Result
from kd_seg_ros.benchmark.statistics import interleaved, spread
from kd_seg_ros.common.errors import UserError, first_line
from kd_seg_ros.inference.card import ModelCard
from kd_seg_ros.inference.engine import Engine, EngineError, Prediction
from kd_seg_ros.inference.gpu.geometry import Geometry

BY_DEFAULT: Final = "CUDA, as by default"
WITHOUT_KERNELS: Final = "without kernels"
VARIANTS: Final[dict[str, dict[str, Any]]] = {
    BY_DEFAULT: {},
    "with new maps for each frame": {"new_maps": True},
    "with staged uploads": {"staged": True},
    "without CUDA graph": {"cuda_graph": False},
    "without NHWC": {"nhwc": False},
    WITHOUT_KERNELS: {"kernels": False},
    "without kernels and CUDA graph": {"kernels": False, "cuda_graph": False},
    "TensorRT": {"provider": "tensorrt"},
}
"""Options of :class:`~kd_seg_ros.inference.engine.Engine`; ``new_maps``: the results are not written to the
same arrays for each frame, as the node does it."""
MAIN_VARIANTS: Final = (BY_DEFAULT, WITHOUT_KERNELS)
"""What is measured where time is short."""
WARM_UP: Final = 20
LEAST: Final = 200
"""Runs: a 99th percentile of fewer says little."""

OtherRuntime = Callable[[ModelCard], Mapping[str, Callable[[], object]]]
"""Returns ways to run a file's network alone in another runtime, by name; raises UserError if it cannot."""


@dataclass(frozen=True)
class Floor:
    """The network's work and the GPU's speed, which give the least time per frame."""

    gflop: float = 0.0
    """Floating point operations of a frame, 10⁹ (a multiplication and an addition are two)."""
    megabytes: float = 0.0
    """Weights and maps that go through the GPU's memory in a frame, 10⁶."""
    tflops: float = 1.0
    """Peak rate, 10¹²/s."""
    gigabytes_per_s: float = 1.0

    def milliseconds(self) -> float:
        """Return the floor; 0 if nothing is known."""
        return max(self.gflop / self.tflops, self.megabytes / self.gigabytes_per_s)


def run(
    models: Sequence[Path],
    floor: Floor,
    seconds: float,
    say: Callable[[str], None],
    other_runtime: OtherRuntime | None = None,
    variants: Sequence[str] | None = None,
) -> Result:
    """Measure each file in each way; one at a time, so that each has the GPU for itself.

    :param seconds: of each.
    :param other_runtime: runs the network alone, for comparison.
    :param variants: keys of :data:`VARIANTS`; None: all.
    :raises UserError: without an NVIDIA GPU.
    """
    if not nvidia_gpu():
        raise UserError("--suite gpu needs an NVIDIA GPU, and nvidia-smi finds none: the other suites do not")
    rows: list[dict[str, Any]] = []
    for model in models:
        card = None
        for name in VARIANTS if variants is None else variants:
            say(f"{model.name}: {name}")
            row = {"model": model.name, "variant": name, "floor_ms": floor.milliseconds()}
            try:
                card, times = measure(model, dict(VARIANTS[name]), seconds, with_host=name == BY_DEFAULT)
            except EngineError as error:
                times = {"refused": str(error)}
            rows.append(row | times)
        if other_runtime and card:
            rows += _other_rows(model, card, other_runtime, seconds, say)
    return Result(text(rows), rows)


def measure(
    model: Path, options: dict[str, Any], seconds: float, with_host: bool = False
) -> tuple[ModelCard, dict[str, Any]]:
    """Time one way to run a file, on an image of its size, in milliseconds.

    :param options: see :data:`VARIANTS`.
    :param with_host: time pre- and post-processing on the host too.
    """
    new_maps = options.pop("new_maps", False)
    engine = Engine(model, **options)
    image = random_image(engine.size)
    out = None if new_maps else Prediction.empty(engine.size)
    runs: list[Callable[[], object]] = [partial(engine.segment, image, out=out)]
    kernels = engine.kernels
    if kernels:
        runs.append(kernels.run_network)
    times = [spread(series, 1e3) for series in interleaved(runs, seconds, LEAST, warm_up=WARM_UP)]
    figures: dict[str, Any] = asdict(times[0])
    if kernels:
        figures["network_ms"] = times[1].p50
        if with_host:
            figures["host_ms"] = _host_ms(engine.card, kernels.logits[0], seconds)
    return engine.card, figures


def _host_ms(card: ModelCard, shape: tuple[int, ...], seconds: float) -> float:
    """Time pre- and post-processing by OpenCV and NumPy.

    :param shape: of the network's logits.
    """
    size = card.height, card.width
    geometry, image = Geometry.of_image(size, card), random_image(size)
    logits = np.random.default_rng(0).normal(0, 4, shape).astype(np.float32)
    runs: list[Callable[[], object]] = [
        partial(network_image, image, card, geometry),
        partial(image_maps, logits, size),
    ]
    before, after = interleaved(runs, seconds / 2, least=3, warm_up=1)
    return spread(before, 1e3).p50 + spread(after, 1e3).p50


def _other_rows(
    model: Path, card: ModelCard, other_runtime: OtherRuntime, seconds: float, say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Time the network alone in another runtime."""
    rows: list[dict[str, Any]] = []
    try:
        ways = other_runtime(card)
    except UserError as error:
        say(f"{model.name}: {error}")
        return rows
    for name, way in ways.items():
        say(f"{model.name}: {name}")
        try:
            (series,) = interleaved([way], seconds, LEAST, warm_up=WARM_UP)
        except Exception as error:  # what another runtime raises is its own
            say(f"{model.name}: {name}: {first_line(error)}")
            continue
        rows.append({"model": model.name, "variant": name, "network_ms": spread(series, 1e3).p50})
    return rows
