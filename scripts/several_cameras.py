"""Several cameras: a process for each next to one process that shares the network. Prints a table.

``python scripts/several_cameras.py --cameras 4 --rate 10 --provider cuda``. With ``--batch``, and a model
file exported with that option, a third arrangement is one process that runs the network on several images at
once. One camera process publishes noise to all topics: in turn, or with ``--at-once`` to all at the same
time, as cameras do that are triggered together. This process listens to the masks. The arrangements run one
after the other, ``--repeats`` times, so that what else the machine does disturbs all.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image

from kd_seg_ros.benchmark.machine import machine
from kd_seg_ros.benchmark.process_usage import usage
from kd_seg_ros.benchmark.result import table
from kd_seg_ros.common.child_process import ChildProcess, python_module
from kd_seg_ros.common.node_command import node_command
from kd_seg_ros.common.option_types import count, positive
from kd_seg_ros.common.ros_environment import isolate_this_process
from kd_seg_ros.common.share import default_model
from kd_seg_ros.inference.engine import Engine
from kd_seg_ros.inference.providers import PROVIDERS

PROCESS_EACH, ONE_PROCESS, BATCHES = "a process per camera", "one process", "one process, batches"
"""The arrangements that are compared."""
WARM_UP = 2
"""First masks of each camera that do not count."""


@dataclass
class Measured:
    """What one arrangement did, over all repeats."""

    ages_ms: list[float] = field(default_factory=list)
    """From an image's stamp to the arrival of its mask."""
    published: list[int] = field(default_factory=list)
    """Masks of each camera and repeat."""
    private_mb: list[float] = field(default_factory=list)
    """Memory of all processes that belongs to them alone, per repeat."""
    cpu_s: list[float] = field(default_factory=list)
    """Processor time of all processes while the cameras ran, per repeat."""
    start_s: list[float] = field(default_factory=list)
    """From the start of the processes until all nodes were ready, per repeat."""


def main() -> None:
    """Measure the arrangements and print the table."""
    args = _parser().parse_args()
    isolate_this_process()
    size = Engine(args.model, args.provider).size
    names = [PROCESS_EACH, ONE_PROCESS, *([BATCHES] if args.batch else [])]
    results = {name: Measured() for name in names}
    rclpy.init()
    try:
        for repeat in range(args.repeats):
            for name in names:
                print(f"repeat {repeat + 1} of {args.repeats}: {name}", file=sys.stderr)
                _measure(args, name, size, results[name])
    finally:
        rclpy.try_shutdown()
    print(_text(args, size, results))


def _measure(args: argparse.Namespace, name: str, size: tuple[int, int], measured: Measured) -> None:
    """Run one arrangement once, and add what it did."""
    names = [f"camera_{number}" for number in range(args.cameras)]
    node = rclpy.create_node("listener")
    ages: dict[str, list[float]] = {camera: [] for camera in names}
    for camera in names:
        node.create_subscription(
            Image, f"/{camera}/segmentation/mask", partial(_arrived, ages[camera]), QoSProfile(depth=1)
        )
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    start = time.monotonic()
    with _nodes(args, name, names) as processes:
        for process in processes:
            process.wait_for("ready:" if name == PROCESS_EACH else "networks in memory")
        measured.start_s.append(time.monotonic() - start)
        pids = [process.pid for process in processes]
        before = sum(usage(pid).cpu_s for pid in pids)
        frames = round(args.rate * args.seconds) * args.cameras
        options = ["--frames", str(frames), "--turn", "1"]
        if args.at_once:
            options += ["--at-once", "--rate", str(args.rate)]
        else:
            options += ["--rate", str(args.rate * args.cameras)]
        topics = [f"/{camera}/image" for camera in names]
        with python_module(
            "camera", "kd_seg_ros.benchmark.camera_process", *topics, *options, "--size", *map(str, size)
        ) as camera_process:
            while camera_process.running:
                executor.spin_once(timeout_sec=0.1)
            camera_process.result()
        settle = time.monotonic() + 1.0
        while time.monotonic() < settle:
            executor.spin_once(timeout_sec=0.1)
        found = [usage(pid) for pid in pids]
    executor.shutdown()
    node.destroy_node()
    measured.cpu_s.append(sum(each.cpu_s for each in found) - before)
    measured.private_mb.append(sum(each.private_mb for each in found))
    measured.published += [len(values) for values in ages.values()]
    for values in ages.values():
        measured.ages_ms += values[WARM_UP:]


def _arrived(ages: list[float], message: Image) -> None:
    stamp = message.header.stamp
    ages.append(1e-6 * (time.time_ns() - stamp.sec * 10**9 - stamp.nanosec))


@contextmanager
def _nodes(args: argparse.Namespace, name: str, cameras: Sequence[str]) -> Iterator[list[ChildProcess]]:
    """Run the segmentation nodes of all cameras; yield their processes."""
    given = {"model": args.model, "provider": args.provider, "active": "always", "overlay": False}
    with ExitStack() as stack:
        if name == PROCESS_EACH:
            commands = [node_command(given, [f"__ns:=/{camera}"]) for camera in cameras]
        else:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            parameters = {"active": "always", "overlay": False, "batch": name == BATCHES}
            defaults = {
                "model": str(args.model.absolute()),
                "provider": args.provider,
                "parameters": parameters,
            }
            entries = [{"name": camera, "image": f"/{camera}/image"} for camera in cameras]
            path = Path(folder) / "cameras.yaml"
            path.write_text(json.dumps({"defaults": defaults, "cameras": entries}))
            commands = [["-m", "kd_seg_ros.cameras.cameras_node", "--cameras", str(path)]]
        yield [stack.enter_context(ChildProcess("node", [sys.executable, *command])) for command in commands]


def _text(args: argparse.Namespace, size: tuple[int, int], results: dict[str, Measured]) -> str:
    head = [
        "",
        "masks per camera and second",
        "age p50, ms",
        "p90",
        "p99",
        "memory, MB",
        "processor, s",
        "start, s",
    ]
    lines = []
    for name, measured in results.items():
        rates = np.array(measured.published) / args.seconds
        ages = np.percentile(measured.ages_ms, (50, 90, 99))
        lines.append(
            [
                name,
                f"{rates.mean():.1f} ({rates.min():.1f} to {rates.max():.1f})",
                *(f"{value:.0f}" for value in ages),
                f"{np.median(measured.private_mb):.0f}",
                f"{np.median(measured.cpu_s):.1f}",
                f"{np.median(measured.start_s):.1f}",
            ]
        )
    height, width = size
    note = (
        f"{args.model.name}, {args.cameras} cameras of {width}×{height} at {args.rate:g} Hz each"
        f"{', all at once' if args.at_once else ', in turn'} "
        f"for {args.seconds:g} s, {args.repeats} repeats in turn; least and most of a camera in brackets. "
        f"Measured on: {machine(rclpy.get_rmw_implementation_identifier(), args.provider)}."
    )
    return f"{table(head, lines)}\n\n{note}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--model", type=Path, default=default_model(), metavar="FILE", help="ONNX file")
    add("--provider", choices=tuple(PROVIDERS), default="cpu", help="where the network runs")
    add("--cameras", type=count, default=4, metavar="N", help="number of cameras")
    add("--rate", type=positive, default=10.0, metavar="HZ", help="images per second of each camera")
    add("--batch", action="store_true", help="measure batches, too; the file must be exported with --batch")
    add("--at-once", action="store_true", help="all cameras send at the same time, not in turn")
    add("--seconds", type=positive, default=20.0, metavar="S", help="length of each part")
    add("--repeats", type=count, default=2, metavar="N", help="how often all arrangements are measured")
    return parser


if __name__ == "__main__":
    main()
