"""How punctual play_bag is with large images: a generated bag, play_bag and a subscriber in two processes.

python scripts/play_bag_timing.py [--seconds 10] [--hertz 30] [--size 1080x1920] [--compress] [--rounds 3]

Prints of every round how late the images were published (as play_bag itself says, actual against due time),
and how evenly they arrived: the deviation of the intervals between two arrivals from those of the bag.
Measure on an idle machine.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Final

import numpy as np
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin

from kd_seg_ros.bags.channels import Channels
from kd_seg_ros.bags.messages import IMAGE, METADATA_VERSION, header, image_cdr
from kd_seg_ros.bags.writing import BagWriter
from kd_seg_ros.common.child_process import python_module
from kd_seg_ros.common.encodings import RGB8
from kd_seg_ros.common.ros_environment import isolated_environment
from kd_seg_ros.playback.timing import read_timing

TOPIC: Final = "/camera/image_raw"


def main() -> None:
    """Write the bag, play it several times and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--seconds", type=float, default=10.0, help="length of the bag (1080p: 190 MB per second)"
    )
    parser.add_argument("--hertz", type=float, default=30.0, help="images per second (default: 30)")
    parser.add_argument("--size", default="1080x1920", help="height and width, pixels (default: 1080x1920)")
    parser.add_argument("--compress", action="store_true", help="compress the bag by zstd, chunk by chunk")
    parser.add_argument("--rounds", type=int, default=3, help="how often to play it (default: 3)")
    args = parser.parse_args()
    height, width = map(int, args.size.split("x"))
    os.environ.update(isolated_environment(os.environ))
    with tempfile.TemporaryDirectory() as folder:
        bag = Path(folder) / "bag"
        frames = round(args.seconds * args.hertz)
        write_bag(bag, frames, args.hertz, (height, width), args.compress)
        print(f"{frames} images of {width}×{height} rgb8 at {args.hertz:g} Hz, load {os.getloadavg()[0]:.1f}")
        for _ in range(args.rounds):
            arrivals = play(bag, Path(folder) / "timing.csv")
            print(figures("publishing, late", [m.late_ms for m in read_timing(Path(folder) / "timing.csv")]))
            intervals = np.abs(np.diff(arrivals) - 1.0 / args.hertz) * 1e3
            print(figures(f"arrival of {len(arrivals)}, interval off by", intervals.tolist()))


def write_bag(path: Path, frames: int, hertz: float, size: tuple[int, int], compress: bool) -> None:
    """Write noise: what is there does not matter, and noise does not compress."""
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    writer = BagWriter(path, version=METADATA_VERSION, storage_plugin=StoragePlugin.MCAP)
    if compress:
        writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
    with writer:
        write = Channels(writer)
        for number in range(frames):
            stamp = 10**18 + round(number * 1e9 / hertz)
            write(TOPIC, IMAGE, stamp, image_cdr(header(stamp, "camera"), pixels, RGB8))


def play(bag: Path, table: Path) -> list[float]:
    """Run play_bag once and listen; return the moments of arrival, s."""
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.qos import QoSProfile
    from sensor_msgs.msg import Image

    arrivals: list[float] = []
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node("listener", context=context)
    profile = QoSProfile(depth=1)
    node.create_subscription(Image, TOPIC, lambda _: arrivals.append(time.monotonic()), profile, raw=True)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    options = [str(bag), "--wait", "30", "--timing", str(table)]
    with python_module("player", "kd_seg_ros.playback.play_bag", *options) as player:
        while player.running:
            executor.spin_once(timeout_sec=0.1)
        player.must_succeed()
    executor.shutdown()
    node.destroy_node()
    context.try_shutdown()
    return arrivals


def figures(what: str, milliseconds: list[float]) -> str:
    """One line of percentiles."""
    p50, p99 = np.percentile(milliseconds, [50, 99])
    return f"{what}: {p50:.2f} ms (p50), {p99:.2f} ms (p99), {max(milliseconds):.2f} ms (max)"


if __name__ == "__main__":
    main()
