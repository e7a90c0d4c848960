"""Suite ``node``: what the node adds to the bare run of its network.

First in one process, in turn: the bare run and ``Engine.segment``. Then a camera process sends each five
images to the node and to a process that does the bare run and nothing else, in turn, so that both meet the
same machine; another process, this one, listens to the node.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from kd_seg_ros.benchmark.bare_run import BareRun, random_image
from kd_seg_ros.benchmark.machine import machine
from kd_seg_ros.benchmark.node_process import IMAGE, NAMESPACE, segmentation_node
from kd_seg_ros.benchmark.process_usage import Usage, usage
from kd_seg_ros.benchmark.result import Result, table
from kd_seg_ros.benchmark.statistics import Spread, interleaved, spread
from kd_seg_ros.common.child_process import ChildProcess, python_module
from kd_seg_ros.inference.engine import Engine

TURN: Final = 5
"""Images in a row to one of the two."""
WARM_UP: Final = 2
"""Turns that do not count."""
LOAD: Final = 0.5
"""Share of the time that the network is busy, unless a rate is given."""
HIGHEST_HZ: Final = 30.0
GOAL_SHARE: Final = 0.05
GOAL_MS: Final = 3.0
QUANTITIES: Final = ("decode_ms", "inference_ms", "publish_ms", "latency_ms", "image_age_ms")
BARE_IMAGE: Final = f"{NAMESPACE}/bare/image"


def run(
    model: Path,
    provider: str,
    size: tuple[int, int] | None,
    rate: float | None,
    seconds: float,
    say: Callable[[str], None],
) -> Result:
    """Measure; :attr:`Result.figures` are milliseconds.

    :param size: (height, width) of the camera's images; the file's without.
    :param rate: of the camera, images per second; the node gets half of them.
    :param seconds: of each of the two parts.
    """
    say("bare run and Engine, in turn")
    bare, engine, own = in_process(model, provider, size, seconds)
    size = size or own
    rate = rate or min(HIGHEST_HZ, 1e3 * LOAD / engine.p50)
    say(f"node and bare run with a camera of {size[1]}×{size[0]} at {rate:.1f} Hz, in turn")
    with_camera, figures = over_dds(model, provider, own, size, rate, seconds)
    figures = {
        "model": model.name,
        "provider": provider,
        "size": size,
        "rate_hz": rate,
        "bare": asdict(bare),
        "engine": asdict(engine),
        "bare_with_camera": asdict(with_camera["run_ms"]),
        "bare_with_camera_age": asdict(with_camera["age_ms"]),
        **figures,
    }
    figures["overhead"] = overheads(figures)
    return Result(_text(figures), figures)


def in_process(
    model: Path, provider: str, size: tuple[int, int] | None, seconds: float
) -> tuple[Spread, Spread, tuple[int, int]]:
    """Time the bare run and the engine in turn; return both, and the file's size."""
    engine = Engine(model, provider)
    own = engine.size
    image = random_image(size or own)
    bare = BareRun(model, provider, own)
    times = interleaved([bare.run, lambda: engine.segment(image)], seconds)
    return spread(times[0], 1e3), spread(times[1], 1e3), own


def over_dds(
    model: Path, provider: str, own: tuple[int, int], size: tuple[int, int], rate: float, seconds: float
) -> tuple[dict[str, Spread], dict[str, Any]]:
    """Return the bare run's times and the node's figures."""
    from kd_seg_ros.benchmark.listener import Listener, reported

    frames = 2 * TURN * (WARM_UP + max(1, round(rate * seconds / (2 * TURN))))
    skipped = WARM_UP * TURN
    in_pixels = (*map(str, own),)
    with (
        Listener() as listener,  # first: a node may subscribe to the camera only while it is listened to
        segmentation_node(model, provider) as node,
        python_module(
            "bare run",
            "kd_seg_ros.benchmark.bare_run",
            str(model),
            BARE_IMAGE,
            "--provider",
            provider,
            "--size",
            *in_pixels,
        ) as bare,
    ):
        node.wait_for("ready:", listener.spin_once)
        bare.wait_for("ready:", listener.spin_once)
        with _camera(frames, rate, size) as camera:
            camera.wait_for("publishing", listener.spin_once)
            listener.spin_while(lambda: camera.running and len(listener.arrivals) < skipped)
            before, first = usage(node.pid), len(listener.arrivals)
            listener.states.clear()
            listener.spin_while(lambda: camera.running, 10 * frames / rate + 60)
            sent = camera.result()
        listener.spin_while(lambda: True, 0.3)
        after, states = usage(node.pid), list(listener.states)
        counts = listener.settled_counts()
        ages = {name: spread(values[skipped:]) for name, values in listener.ages.items()}
        arrived = len(listener.arrivals) - first
        bare.stop()
        times = bare.result()
    node_figures = {
        "sent": sent["sent"][0],
        "seconds": sent["seconds"],
        **counts,
        **{quantity: reported(states, quantity) for quantity in QUANTITIES},
        "ages": {name: asdict(age) for name, age in ages.items()},
        "cpu_ms": _cpu_ms(before, after, arrived),
    }
    return {key: spread(values[skipped:]) for key, values in times.items()}, {"node": node_figures}


def _camera(frames: int, rate: float, size: tuple[int, int]) -> ChildProcess:
    options = ["--turn", str(TURN), "--rate", str(rate), "--frames", str(frames), "--size", *map(str, size)]
    return python_module("camera", "kd_seg_ros.benchmark.camera_process", IMAGE, BARE_IMAGE, *options)


def _cpu_ms(before: Usage, after: Usage, frames: int) -> float:
    return 1e3 * (after.cpu_s - before.cpu_s) / max(frames, 1)


def overheads(figures: dict[str, Any]) -> dict[str, float | bool]:
    """Return by how many milliseconds the medians of Engine and node are above those of the bare run.

    ``node``: arrival to published, against the bare run with the same camera; ``outside``: stamp to arrival
    in another process, against stamp to the end of the bare run.
    """
    with_camera, node = figures["bare_with_camera"]["p50"], figures["node"]
    added = node["latency_ms"]["p50"] - with_camera
    allowed = max(GOAL_SHARE * with_camera, GOAL_MS)
    return {
        "engine": figures["engine"]["p50"] - figures["bare"]["p50"],
        "node": added,
        "node_percent": 100 * added / with_camera,
        "outside": node["ages"]["mask"]["p50"] - figures["bare_with_camera_age"]["p50"],
        "allowed": allowed,
        "reached": added <= allowed,
    }


def _text(figures: dict[str, Any]) -> str:
    node, over = figures["node"], figures["overhead"]
    height, width = figures["size"]

    def row(name: str, values: dict[str, float], base: float | None = None) -> list[str]:
        more = (
            "" if base is None else f"{values['p50'] - base:+.2f} ({100 * (values['p50'] / base - 1):+.1f} %)"
        )
        return [name, f"{values['p50']:.2f}", f"{values['p99']:.2f}", more]

    bare, with_camera = figures["bare"]["p50"], figures["bare_with_camera"]["p50"]
    rows = [
        row("bare run, alone", figures["bare"]),
        row("`Engine.segment`, alone", figures["engine"], bare),
        row("bare run, with the camera", figures["bare_with_camera"]),
        row("**node**, image arrived → maps published", node["latency_ms"], with_camera),
        row("– decode", node["decode_ms"]),
        row("– inference", node["inference_ms"], with_camera),
        row("– publish", node["publish_ms"]),
        row("image stamped → bare run done", figures["bare_with_camera_age"]),
        row(
            "image stamped → mask in another process",
            node["ages"]["mask"],
            figures["bare_with_camera_age"]["p50"],
        ),
        row("image stamped → confidence in another process", node["ages"]["confidence"]),
    ]
    title = f"{figures['model']}, camera {width}×{height} at {figures['rate_hz']:.1f} Hz"
    verdict = "reached" if over["reached"] else "missed"
    import rclpy

    return "\n\n".join(
        [
            table([title, "p50, ms", "p99, ms", "above the bare run, p50"], rows),
            f"The node adds {over['node']:.2f} ms ({over['node_percent']:.1f} %); goal: at most "
            f"{over['allowed']:.2f} ms: {verdict}. It takes {node['cpu_ms']:.1f} ms of processor time per "
            f"frame ({node['published']} of {node['sent']} published, {node['overwritten']} overwritten).",
            f"Measured on: {machine(rclpy.get_rmw_implementation_identifier(), figures['provider'])}.",
        ]
    )
