"""Suite ``soak``: many frames with everything going wrong that may, and nothing may grow.

Small frames, one in twenty of them broken, under a ``/clock`` that jumps back and forth; meanwhile
subscribers come and go, parameters change, some of them to values that must be refused, and the node is
paused. Memory, threads and file descriptors are read from /proc; a straight line through them, after a
warm-up, tells growth.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from kd_seg_ros.benchmark.disturbances import Disturbances
from kd_seg_ros.benchmark.listener import Listener
from kd_seg_ros.benchmark.machine import machine
from kd_seg_ros.benchmark.node_process import IMAGE, segmentation_node
from kd_seg_ros.benchmark.process_usage import Usage, usage
from kd_seg_ros.benchmark.result import Result, table
from kd_seg_ros.benchmark.statistics import growth
from kd_seg_ros.common.child_process import ChildProcess, python_module
from kd_seg_ros.common.errors import UserError

BAD_EVERY: Final = 20
CLOCK_JUMP_EVERY: Final = 300
WARM_UP: Final = 0.2
"""Share of the run, from its start, that does not count."""
SAMPLE_S: Final = 0.25
PROGRESS_S: Final = 5.0


@dataclass(frozen=True)
class Quantity:
    """A quantity of the node's process, and how much it may grow over the part of the run that counts."""

    name: str
    unit: str
    allowed: float


QUANTITIES: Final = {
    "private_mb": Quantity("private memory", "MB", 2.0),
    "rss_mb": Quantity("resident memory", "MB", 4.0),
    "threads": Quantity("threads", "", 0.9),
    "files": Quantity("file descriptors", "", 0.9),
}


def run(
    model: Path,
    provider: str,
    size: tuple[int, int],
    frames: int,
    rate: float,
    plot: Path | None,
    say: Callable[[str], None],
) -> Result:
    """Run it; :attr:`Result.passed` is whether nothing grew.

    :param frames: that the camera sends.
    :param rate: of the camera, images per second.
    :param plot: PNG of the memory over the frames.
    """
    with Listener() as listener, segmentation_node(model, provider, use_sim_time=True) as node:
        node.wait_for("ready:", listener.spin_once)
        options = ["--bad-every", str(BAD_EVERY), "--clock-jump-every", str(CLOCK_JUMP_EVERY)]
        options += ["--rate", str(rate), "--frames", str(frames), "--size", *map(str, size)]
        with python_module("camera", "kd_seg_ros.benchmark.camera_process", IMAGE, *options) as camera:
            camera.wait_for("publishing", listener.spin_once)
            disturbances = Disturbances(listener.node)
            start = time.monotonic()
            samples = _watch(listener, node, camera, disturbances, frames, say)
            seconds = time.monotonic() - start
            sent = camera.result()
        disturbances.end()
        counts = listener.settled_counts()
        node.must_run()
    figures = {
        "model": model.name,
        "size": size,
        "provider": provider,
        "seconds": seconds,
        "sent": sent["sent"][0],
        "bad": sent["bad"],
        **counts,
        "masks": len(listener.arrivals),
        "disturbances": dict(disturbances.done),
        "samples": [{"frames": frame} | asdict(seen) for frame, seen in samples],
        "growth": growths(samples),
    }
    flat = all(figures["growth"][key] < quantity.allowed for key, quantity in QUANTITIES.items())
    if plot:
        _plot(samples, plot)
    return Result(_text(figures, flat), figures, flat)


def _watch(
    listener: Listener,
    node: ChildProcess,
    camera: ChildProcess,
    disturbances: Disturbances,
    frames: int,
    say: Callable[[str], None],
) -> list[tuple[int, Usage]]:
    """Receive and disturb until the camera ends; return (frames received, usage) over the run."""
    samples: list[tuple[int, Usage]] = []
    due = spoken = 0.0
    while camera.running:
        listener.spin_once()
        now = time.monotonic()
        if now < due:
            continue
        due = now + SAMPLE_S
        node.must_run()
        disturbances.next()
        samples.append((listener.counts()["received"], usage(node.pid)))
        if now - spoken > PROGRESS_S:
            spoken = now
            received, seen = samples[-1]
            say(
                f"{received} of about {frames} frames, {seen.rss_mb:.1f} MB ({seen.private_mb:.1f} private), "
                f"{seen.threads} threads, {seen.files} files"
            )
    return samples


def growths(samples: list[tuple[int, Usage]]) -> dict[str, float]:
    """Return how much each of :data:`QUANTITIES` has grown over the part of the run that counts."""
    counted = samples[int(WARM_UP * len(samples)) :]
    if len(counted) < 3:
        raise UserError("--frames: too few to tell growth")
    x = [float(frame) for frame, _ in counted]
    found: dict[str, float] = {}
    for key in QUANTITIES:
        values = [float(getattr(seen, key)) for _, seen in counted]
        found[key] = growth(x, values)
    return found


def _text(figures: dict[str, Any], flat: bool) -> str:
    import rclpy

    samples = figures["samples"]
    counted = samples[int(WARM_UP * len(samples)) :]
    rows = []
    for key, quantity in QUANTITIES.items():
        values = [sample[key] for sample in counted]
        digits = 1 if quantity.unit else 0
        rows.append(
            [
                f"{quantity.name} {quantity.unit}".strip(),
                *(f"{value:.{digits}f}" for value in (values[0], values[-1], max(values))),
                f"{figures['growth'][key]:+.2f}",
                f"{quantity.allowed:g}",
            ]
        )
    done = ", ".join(f"{number} × {name}" for name, number in figures["disturbances"].items())
    height, width = figures["size"]
    ends = ", ".join(f"{figures[name]} {name}" for name in ("published", "overwritten", "rejected", "failed"))
    return "\n\n".join(
        [
            table(["", "after the warm-up", "at the end", "most", "growth", "allowed"], rows),
            f"{figures['sent']} images of {width}×{height} in {figures['seconds']:.0f} s, {figures['bad']} "
            f"of them broken, the clock jumping every {CLOCK_JUMP_EVERY}. {figures['paused']} came while the "
            f"node was paused, {figures['received']} were received: {ends}. {done}. Growth: rise of the "
            f"straight line through {len(counted)} samples. Verdict: {'flat' if flat else 'NOT FLAT'}.",
            f"Measured on: {machine(rclpy.get_rmw_implementation_identifier(), figures['provider'])}.",
        ]
    )


def _plot(samples: list[tuple[int, Usage]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 3.5), layout="constrained")
    frames = [frame for frame, _ in samples]
    for key in ("rss_mb", "private_mb"):
        axes.plot(frames, [getattr(seen, key) for _, seen in samples], label=QUANTITIES[key].name)
    axes.set(xlabel="frames", ylabel="MB", ylim=(0, None), title="Memory of the node")
    axes.legend()
    figure.savefig(path, dpi=150)
    plt.close(figure)
