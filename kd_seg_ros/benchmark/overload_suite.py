"""Suite ``overload``: a camera slower and faster than the network, and how old the results become.

The sustainable rate is what the node publishes with a camera that never lets it wait. Then the camera runs
at 0.5 to 4.3 times that, once with a node that takes whatever image is there and once with one that waits
for a fresher one (``wait_for_fresher_image``). By construction a result is at most a frame time and a
camera period old without the wait, and a frame time and half a period with it; the way to and from the node
is added. The goal is that with the wait 99 of 100 results are younger than two frame times, however fast the
camera. The largest age has no such bound: on shared cores the time of a single frame has none.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np

from kd_seg_ros.benchmark.bare_run import random_image
from kd_seg_ros.benchmark.machine import machine
from kd_seg_ros.benchmark.node_process import IMAGE, segmentation_node
from kd_seg_ros.benchmark.result import Result, table
from kd_seg_ros.benchmark.statistics import interleaved, spread
from kd_seg_ros.common.child_process import python_module
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.inference.engine import Engine

FACTORS: Final = (0.5, 1.0, 1.3, 2.3, 4.3)
"""Camera rates, in sustainable rates. Above 1 no whole numbers: a network whose frames take equal times would
meet every image at the same moment of its life, which says nothing of other cameras."""
PROBE: Final = 1.5
"""Camera rate for measuring the sustainable one, in rates of the engine alone."""
PROBE_S: Final = 1.0
WARM_UP: Final = 2
"""First results of each part that do not count: the node is still waking up."""
PARTS: Final = ("decode_ms", "inference_ms", "publish_ms")
"""Parts of the time per frame that the node reports."""
GOAL: Final = 2.0
"""Age of a result in median frame times that 99 of 100 do not exceed with the wait: a frame, half a camera
period (at most half a frame, if the camera is the faster), and half a frame for the way and for frames that
take longer than the median one."""


def run(
    model: Path, provider: str, size: tuple[int, int] | None, seconds: float, say: Callable[[str], None]
) -> Result:
    """Measure.

    :param size: (height, width) of the camera's images; the file's without.
    :param seconds: of each rate.
    """
    from kd_seg_ros.benchmark.listener import Listener

    size, alone = _engine_rate(model, provider, size, min(PROBE_S, seconds))
    rows: list[dict[str, Any]] = []
    frame_ms = 0.0
    with Listener() as listener:
        for waits in (False, True):
            with segmentation_node(model, provider, wait_for_fresher_image=waits) as node:
                node.wait_for("ready:", listener.spin_once)
                listener.clear()  # of what an earlier node has counted
                if not frame_ms:
                    say(f"sustainable rate; the engine alone does {alone:.1f} Hz")
                    frame_ms = _frame_ms(listener, PROBE * alone, size, seconds)
                for factor in FACTORS:
                    rate = factor * 1e3 / frame_ms
                    say(f"camera at {rate:.1f} Hz, {factor:g} times the sustainable rate, for {seconds:g} s")
                    head = {"waits": waits, "factor": factor, "rate_hz": rate}
                    rows.append(head | phase(listener, rate, size, seconds))
                    node.must_run()
    figures = {"model": model.name, "provider": provider, "size": size, "frame_ms": frame_ms, "rows": rows}
    return Result(_text(figures), figures)


def _frame_ms(listener: Any, rate: float, size: tuple[int, int], seconds: float) -> float:
    """Return the median interval between results, in milliseconds, with a camera that is faster."""
    phase(listener, rate, size, seconds)
    intervals = np.diff(listener.arrivals[WARM_UP:])
    if not len(intervals):
        raise UserError("the node published too little to measure its rate: try more --seconds")
    return 1e3 * float(np.median(intervals))


def _engine_rate(
    model: Path, provider: str, size: tuple[int, int] | None, seconds: float
) -> tuple[tuple[int, int], float]:
    """Return the camera's size and how many frames per second the engine reaches.

    The engine is released at the end, so that the node does not share the machine with it.
    """
    engine = Engine(model, provider)
    size = size or engine.size
    image = random_image(size)
    return size, 1 / spread(interleaved([lambda: engine.segment(image)], seconds)[0]).p50


def phase(listener: Any, rate: float, size: tuple[int, int], seconds: float) -> dict[str, Any]:
    """Let a camera run; return what became of its images; frame time and ages in milliseconds."""
    from kd_seg_ros.benchmark.listener import reported

    before = listener.counts()
    listener.clear()
    frames = max(2 * WARM_UP, round(rate * seconds))
    options = ["--rate", str(rate), "--frames", str(frames), "--size", *map(str, size)]
    with python_module("camera", "kd_seg_ros.benchmark.camera_process", IMAGE, *options) as camera:
        camera.wait_for("publishing", listener.spin_once)
        listener.spin_while(lambda: camera.running, 10 * seconds + 60)
        result = camera.result()
    after = listener.settled_counts()
    sent = result["sent"][0]
    counts = {name: after[name] - before[name] for name in after}
    return {
        "sent": sent,
        "sent_hz": sent / result["seconds"],
        "lost": sent - counts["received"],
        **counts,
        "arrived": len(listener.ages["mask"]),
        "frame_ms": sum(reported(listener.states[-1:], part)["p50"] for part in PARTS),
        "age": _ages(listener.ages["mask"][WARM_UP:]),
    }


def _ages(values: list[float]) -> dict[str, float]:
    """Summarise ages in milliseconds; the 90th percentile is where waiting shows."""
    p90 = float(np.percentile(values, 90)) if values else math.nan
    return asdict(spread(values)) | {"p90": p90}


def _text(figures: dict[str, Any]) -> str:
    import rclpy

    frame_ms, (height, width) = figures["frame_ms"], figures["size"]
    head = [
        f"camera, times {1e3 / frame_ms:.1f} Hz",
        *("sent, Hz", "sent", "lost before the node", "overwritten", "published"),
        *("frame p50, ms", "age p50, ms", "p90", "p99", "max", "p99, frame times"),
    ]
    lines = []
    for row in figures["rows"]:
        age = row["age"]
        lines.append(
            [
                f"{row['factor']:g}×{', waits' if row['waits'] else ''}",
                f"{row['sent_hz']:.1f}",
                *(str(row[name]) for name in ("sent", "lost", "overwritten", "published")),
                f"{row['frame_ms']:.1f}",
                *(f"{age[name]:.1f}" for name in ("p50", "p90", "p99", "largest")),
                f"{age['p99'] / row['frame_ms']:.2f}",
            ]
        )
    plain, fresh = _worst(figures["rows"], waits=False), _worst(figures["rows"], waits=True)
    return "\n\n".join(
        [
            table(head, lines),
            f"{figures['model']}, camera {width}×{height}; {1e3 / frame_ms:.1f} Hz is the sustainable rate. "
            "A mask's age is that of its stamp on arrival in another process; *waits* is "
            f"`wait_for_fresher_image`. Goal with it: 99 of 100 under {GOAL:g} frame times of their row: "
            f"{'reached' if fresh < GOAL else 'missed'} ({fresh:.2f}; without it {plain:.2f}).",
            f"Measured on: {machine(rclpy.get_rmw_implementation_identifier(), figures['provider'])}.",
        ]
    )


def _worst(rows: list[dict[str, Any]], waits: bool) -> float:
    """Return the largest 99th percentile of a row's ages, in its frame times, with or without waiting."""
    return max(row["age"]["p99"] / row["frame_ms"] for row in rows if row["waits"] is waits)
