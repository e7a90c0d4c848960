"""Suite ``gpu``: the engine on an NVIDIA GPU, in every way it can be run, next to the physical floor.

End to end: from an image in the computer's memory to mask and confidence there. The floor of a frame is the
larger of operations / peak rate and bytes / bandwidth, of numbers the caller gives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from kd_seg_ros.benchmark.bare_run import random_image
from kd_seg_ros.benchmark.machine import machine, nvidia_gpu
from kd_seg_ros.benchmark.result import Result, table
from kd_seg_ros.benchmark.statistics import Spread, interleaved, spread
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.inference.engine import Engine, EngineError

VARIANTS: Final[dict[str, dict[str, Any]]] = {
    "CUDA": {},
    "CUDA, graph": {"cuda_graph": True},
    "CUDA, NHWC": {"nhwc": True},
    "CUDA, graph, NHWC": {"cuda_graph": True, "nhwc": True},
    "TensorRT": {"provider": "tensorrt"},
}
"""Options of :class:`~kd_seg_ros.inference.engine.Engine`."""
WARM_UP: Final = 20
LEAST: Final = 200
"""Runs: a 99th percentile of fewer says little."""
GOAL: Final = 1.5
"""p99 / p50."""


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


def run(models: Sequence[Path], floor: Floor, seconds: float, say: Callable[[str], None]) -> Result:
    """Measure each file in each way; one at a time, so that each has the GPU for itself.

    :param seconds: of each.
    :raises UserError: without an NVIDIA GPU.
    """
    if not nvidia_gpu():
        raise UserError("--suite gpu needs an NVIDIA GPU, and nvidia-smi finds none: the other suites do not")
    rows: list[dict[str, Any]] = []
    for model in models:
        for name, options in VARIANTS.items():
            say(f"{model.name}: {name}")
            try:
                times = asdict(measure(Engine(model, **options), seconds))
            except EngineError as error:
                times = {"refused": str(error)}
            rows.append({"model": model.name, "variant": name, "floor_ms": floor.milliseconds(), **times})
    return Result(text(rows), rows)


def measure(engine: Engine, seconds: float) -> Spread:
    """Time the engine on an image of its size; milliseconds."""
    image = random_image(engine.size)
    (times,) = interleaved([lambda: engine.segment(image)], seconds, LEAST, warm_up=WARM_UP)
    return spread(times, 1e3)


def text(rows: Sequence[dict[str, Any]]) -> str:
    """Lay out the figures of :func:`run`."""
    head = ["model", "run by", "frames/s", "p50, ms", "p99, ms", "p99 / p50", "floor, ms", "p50 / floor"]
    lines, refusals = [], []
    for row in rows:
        start = [row["model"], row["variant"]]
        if "refused" in row:
            lines.append([*start, *["–"] * (len(head) - 2)])
            refusals.append(f"{row['model']}, {row['variant']}: {row['refused']}")
            continue
        ratio = row["p99"] / row["p50"]
        floor = row["floor_ms"]
        lines.append(
            [
                *start,
                f"{1e3 / row['p50']:.0f}",
                f"{row['p50']:.3f}",
                f"{row['p99']:.3f}",
                f"{ratio:.2f}{'' if ratio <= GOAL else ' (missed)'}",
                *([f"{floor:.3f}", f"{row['p50'] / floor:.1f}×"] if floor else ["–", "–"]),
            ]
        )
    return "\n\n".join([table(head, lines), *refusals, f"Measured on: {machine()}."])
