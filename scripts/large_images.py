"""Measure how 1920×1080 images travel between two processes: python scripts/large_images.py.

A publisher and a subscriber (both rclpy, depth 1) run for some seconds per row: Fast DDS as it comes, then
with the package's profile, then over UDP alone, which stands in for another machine (the network itself is
not measured). The last rows are masks as the node sends them, on three topics at a time, to a subscriber of
depth 10, by a publisher that keeps one message or as many as the node does. The delay is from publishing to
the callback; JPEG is encoded once and never decoded. CPU is a part of one core.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import tempfile
import time
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from kd_seg_ros.common.child_process import ChildProcess  # noqa: E402
from kd_seg_ros.common.encodings import MONO8, RGB8  # noqa: E402
from kd_seg_ros.common.fast_dds import MEMORY, PROFILES, large_image_environment  # noqa: E402
from kd_seg_ros.common.ros_environment import DISCOVERY, DOMAIN, isolated_domain  # noqa: E402
from kd_seg_ros.node.qos import DEPTH  # noqa: E402

UDP_ONLY = """<?xml version="1.0" encoding="UTF-8"?>
<dds xmlns="http://www.eprosima.com"><profiles>
  <transport_descriptors>
    <transport_descriptor><transport_id>udp</transport_id><type>UDPv4</type>{buffers}</transport_descriptor>
  </transport_descriptors>
  <participant profile_name="udp_only" is_default_profile="true"><rtps>
    <userTransports><transport_id>udp</transport_id></userTransports>
    <useBuiltinTransports>false</useBuiltinTransports>
  </rtps></participant>
</profiles></dds>
"""
SOCKET_BUFFERS = "<sendBufferSize>4194304</sendBufferSize><receiveBufferSize>4194304</receiveBufferSize>"
"""4 MiB each, as far as the kernel's net.core.wmem_max and rmem_max allow."""
JPEG = "jpeg"
CHANNELS = {RGB8: 3, MONO8: 1, JPEG: 3}
"""Kind of image → channels of a pixel."""
DISCOVERY_S = 30.0
"""Longest time, in seconds, in which publisher and subscriber must find each other."""
TAIL_S = 2.0
"""Seconds after the last image, in which what is under way may still arrive."""


@dataclass(frozen=True)
class Setting:
    """One row of the table."""

    transport: str
    environment: Mapping[str, str]
    image: str
    """``rgb8`` or ``jpeg``, as a camera sends it, or ``mono8``, as the node sends its mask."""
    reliability: str
    depth: int = 1
    """Messages that the publisher keeps, so that a lost part of one can be sent again."""


def settings(folder: Path) -> Iterator[Setting]:
    """Yield the rows of the table.

    The variables are those that the launch files set; profiles for UDP are written to ``folder``.
    """
    large = large_image_environment({"ROS_DISTRO": os.environ.get("ROS_DISTRO", "")})
    (profile,) = large.keys() - MEMORY.keys()
    udp, buffered = folder / "udp.xml", folder / "buffered.xml"
    udp.write_text(UDP_ONLY.format(buffers=""))
    buffered.write_text(UDP_ONLY.format(buffers=SOCKET_BUFFERS))
    transports: list[tuple[str, Mapping[str, str], str]] = [
        ("as it comes", {}, "rgb8"),
        ("profile", {profile: large[profile]}, "rgb8"),
        ("profile, malloc", large, "rgb8"),
        ("UDP only", {profile: str(udp), **MEMORY}, "rgb8"),
        ("UDP only, socket buffers 4 MiB", {profile: str(buffered), **MEMORY}, "rgb8"),
        ("UDP only", {profile: str(udp), **MEMORY}, "jpeg"),
    ]
    for name, environment, image in transports:
        for reliability in ("RELIABLE", "BEST_EFFORT"):
            yield Setting(name, environment, image, reliability)
    for name, environment in (("as it comes", {}), ("profile, malloc", large)):
        for depth in (1, DEPTH):
            yield Setting(name, environment, "mono8", "RELIABLE", depth)


def main() -> None:
    """Run all settings ``--repeats`` times, in turn, and print the medians."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--frames", type=int, default=100, help="images per run (default: 100)")
    parser.add_argument("--hertz", type=float, default=20.0, help="images per second (default: 20)")
    parser.add_argument("--repeats", type=int, default=3, help="runs per setting (default: 3)")
    parser.add_argument("--size", default="1080x1920", help="height and width, pixels (default: 1080x1920)")
    parser.add_argument("--masks-only", action="store_true", help="only the rows of masks")
    parser.add_argument("--role", choices=("publish", "subscribe"), help=argparse.SUPPRESS)
    parser.add_argument("--reliability", help=argparse.SUPPRESS)
    parser.add_argument("--image", choices=CHANNELS, help=argparse.SUPPRESS)
    parser.add_argument("--depth", type=int, default=1, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.role:
        print(json.dumps(_publish(args) if args.role == "publish" else _subscribe(args)))
        return
    with tempfile.TemporaryDirectory() as folder:
        rows = [row for row in settings(Path(folder)) if not args.masks_only or row.image == MONO8]
        results: list[list[dict[str, float]]] = [[] for _ in rows]
        for repeat in range(args.repeats):
            for number, (row, result) in enumerate(zip(rows, results, strict=True), start=1):
                print(f"run {repeat + 1}, setting {number} of {len(rows)}", end="\r", file=sys.stderr)
                result.append(_run(row, args))
    print(" " * 40, end="\r", file=sys.stderr)
    print(_table(rows, results, args))


def _run(row: Setting, args: argparse.Namespace) -> dict[str, float]:
    """Run a publisher and a subscriber once; return what both have measured."""
    environment = {"ROS_DISTRO": os.environ.get("ROS_DISTRO", "")}
    added = dict(row.environment) | isolated_domain(environment)
    command = [sys.executable, __file__, "--frames", str(args.frames), "--hertz", str(args.hertz)]
    command += ["--size", args.size, "--reliability", row.reliability]
    command += ["--image", row.image, "--depth", str(row.depth)]
    for name in (*PROFILES, *MEMORY, *DISCOVERY, DOMAIN):  # what the user has set is not measured
        os.environ.pop(name, None)
    with (
        ChildProcess("publisher", [*command, "--role", "publish"], environment=added) as publisher,
        ChildProcess("subscriber", [*command, "--role", "subscribe"], environment=added) as subscriber,
    ):
        longest = 2 * DISCOVERY_S + args.frames / args.hertz + 10 * TAIL_S
        publisher.wait(longest)
        subscriber.wait(longest)
        return {**publisher.result(), **subscriber.result()}


def _table(rows: list[Setting], results: list[list[dict[str, float]]], args: argparse.Namespace) -> str:
    columns = ["transport", "image", "subscription", "depth", "arrived", "delay p50", "p99", "CPU publisher"]
    lines = [f"| {' | '.join(columns)} | subscriber |", "|---" * (len(columns) + 1) + "|"]
    for row, runs in zip(rows, results, strict=True):
        median = {key: _median(runs, key) for key in runs[0]}
        image = f"{row.image}, {median['megabytes']:.2f} MB"
        delay = ["–" if math.isnan(median[key]) else f"{median[key]:.1f} ms" for key in ("p50", "p99")]
        cells = [
            *(row.transport, image, row.reliability.lower().replace("_", " "), str(row.depth)),
            f"{100 * median['arrived'] / args.frames:.0f} %",
            *delay,
            *(f"{100 * median[key]:.0f} %" for key in ("publisher_cpu", "subscriber_cpu")),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _median(runs: list[dict[str, float]], key: str) -> float:
    """Return the median of a figure over the runs that have it: one in which nothing arrived has no delay."""
    known = [run[key] for run in runs if not math.isnan(run[key])]
    return float(np.median(known)) if known else math.nan


def _topics(args: argparse.Namespace) -> list[str]:
    """Return the topics of a run: the node sends a confidence with each mask, and perhaps an overlay."""
    return ["large", "confidence", "overlay"] if args.image == MONO8 else ["large"]


def _node(args: argparse.Namespace, name: str) -> tuple[Any, Any, Any]:
    """Make a node; return it with the type of the messages and the quality of service."""
    import rclpy
    from rclpy.qos import QoSProfile, ReliabilityPolicy
    from sensor_msgs.msg import CompressedImage, Image

    rclpy.init()
    depth = args.depth
    if args.role == "subscribe":
        depth = 10 if args.image == MONO8 else 1  # a costmap takes what it is given, the node the newest only
    profile = QoSProfile(depth=depth, reliability=ReliabilityPolicy[args.reliability])
    return rclpy.create_node(name), CompressedImage if args.image == JPEG else Image, profile


def _image(args: argparse.Namespace, kind: Any) -> Any:
    """Make a message with edges and a camera's noise, so that JPEG has something to do."""
    height, width = map(int, args.size.split("x"))
    random_state = np.random.default_rng(0)
    coarse = random_state.integers(0, 256, (max(2, height // 40), max(2, width // 40), 3), np.uint8)
    picture = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    pixels = (picture + random_state.normal(0, 3, picture.shape)).clip(0, 255).astype(np.uint8)
    if args.image == JPEG:
        data = array("B", cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes())
        return kind(format="jpeg", data=data)
    channels = CHANNELS[args.image]
    data = array("B", pixels[..., :channels].tobytes())
    return kind(height=height, width=width, encoding=args.image, step=channels * width, data=data)


def _publish(args: argparse.Namespace) -> dict[str, float]:
    """Publish the images; return the share of a core that this took, and the size of a message."""
    node, kind, profile = _node(args, "camera")
    message = _image(args, kind)
    publishers = [node.create_publisher(kind, topic, profile) for topic in _topics(args)]
    deadline = time.monotonic() + DISCOVERY_S
    while not all(p.get_subscription_count() for p in publishers) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1.0)
    start, cpu = time.monotonic(), time.process_time()
    for number in range(args.frames):
        time.sleep(max(0.0, start + number / args.hertz - time.monotonic()))
        message.header.frame_id = str(number)
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(time.monotonic_ns(), 10**9)
        for publisher in publishers:
            publisher.publish(message)
    used = (time.process_time() - cpu) / (time.monotonic() - start)
    time.sleep(TAIL_S)
    return {"publisher_cpu": used, "megabytes": len(message.data) / 1e6}


def _subscribe(args: argparse.Namespace) -> dict[str, float]:
    """Receive images; return the share of a core that this took, their number and their delay in ms."""
    import rclpy

    node, kind, profile = _node(args, "listener")
    delays: list[float] = []

    def listen(message: Any) -> None:
        stamp = message.header.stamp
        delays.append((time.monotonic_ns() - stamp.sec * 10**9 - stamp.nanosec) * 1e-6)

    for topic in _topics(args):
        node.create_subscription(kind, topic, listen, profile)
    deadline = time.monotonic() + DISCOVERY_S
    while not node.count_publishers(_topics(args)[0]) and time.monotonic() < deadline:
        rclpy.spin_once(node, timeout_sec=0.05)
    seconds, cpu = args.frames / args.hertz, time.process_time()
    # The publisher goes away TAIL_S after its last image.
    end = time.monotonic() + DISCOVERY_S + seconds + TAIL_S
    look = 0.0
    while time.monotonic() < end:
        rclpy.spin_once(node, timeout_sec=0.05)
        if time.monotonic() > look + 0.5:
            look = time.monotonic()
            if not node.count_publishers(_topics(args)[0]):
                break
    used = (time.process_time() - cpu) / seconds
    p50, p99 = np.percentile(delays, [50, 99]) if delays else (np.nan, np.nan)
    arrived = len(delays) / len(_topics(args))
    return {"subscriber_cpu": used, "arrived": arrived, "p50": float(p50), "p99": float(p99)}


if __name__ == "__main__":
    main()
