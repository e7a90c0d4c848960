"""A drive in a bag of which the tiny model's answer is known, and the demo run as a user does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rosbags.rosbag2 import Reader, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore
from tiny_model import expected

ROOT: Final = Path(__file__).resolve().parents[2]
STORE: Final = get_typestore(Stores.ROS2_HUMBLE)
START: Final = 1_700_000_000_000_000_000
PERIOD: Final = 100_000_000
CONDITIONS: Final = ("fog", "night", "snow")


def run_demo(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does, who has set nothing of ROS."""
    unset = ("ROS_DOMAIN_ID", "ROS_AUTOMATIC_DISCOVERY_RANGE", "FASTDDS_DEFAULT_PROFILES_FILE")
    kept = {name: value for name, value in os.environ.items() if name not in unset}
    command = [sys.executable, "scripts/demo", *map(str, arguments)]
    return subprocess.run(
        command, cwd=ROOT, env=kept | environment, capture_output=True, text=True, timeout=600
    )


def frame(number: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """An image in which the tiny model sees blocks of classes, and labels that agree with it in part."""
    rng = np.random.default_rng(number)
    blocks = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    image = np.repeat(np.repeat(blocks, 8, axis=0), 8, axis=1)
    image[..., 1] = rng.integers(30, 255, image.shape[:2])
    labels = expected(image)[0]
    wrong, ignored = rng.random((2, *labels.shape)) < [[[0.3]], [[0.1]]]
    labels = np.where(wrong, rng.integers(0, 6, labels.shape), labels)
    return image, np.where(ignored, 255, labels).astype(np.uint8)


def image_message(pixels: NDArray[np.uint8], stamp: int, frame_id: str = "camera") -> Any:
    types = STORE.types
    seconds, nanoseconds = divmod(stamp, 10**9)
    time = types["builtin_interfaces/msg/Time"](sec=seconds, nanosec=nanoseconds)
    return types["sensor_msgs/msg/Image"](
        header=types["std_msgs/msg/Header"](stamp=time, frame_id=frame_id),
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding="rgb8" if pixels.ndim == 3 else "mono8",
        is_bigendian=0,
        step=pixels[0].size,
        data=pixels.ravel(),
    )


def write_messages(path: Path, entries: list[tuple[str, int, Any]]) -> Path:
    """Write (topic, log time, message) into a new bag."""
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        kinds = {topic: type(message).__msgtype__ for topic, _, message in entries}
        connections = {t: writer.add_connection(t, kind, typestore=STORE) for t, kind in kinds.items()}
        for topic, time, message in entries:
            writer.write(connections[topic], time, bytes(STORE.serialize_cdr(message, kinds[topic])))
    return path


def write_drive(path: Path, frames: int = 12) -> Path:
    text = STORE.types["std_msgs/msg/String"]
    entries: list[tuple[str, int, Any]] = []
    for number in range(frames):
        stamp = START + number * PERIOD
        image, labels = frame(number)
        condition = CONDITIONS[number * len(CONDITIONS) // frames]
        entries.append(("/camera/condition", stamp, text(data=condition)))
        entries.append(("/camera/image_raw", stamp, image_message(image, stamp)))
        entries.append(("/camera/labels", stamp, image_message(labels, stamp)))
    return write_messages(path, entries)


def read_bag(path: Path) -> dict[str, list[Any]]:
    messages: dict[str, list[Any]] = {}
    with Reader(path) as reader:
        for connection, _, raw in reader.messages():
            message = STORE.deserialize_cdr(raw, connection.msgtype)
            messages.setdefault(connection.topic, []).append(message)
    return messages


def stamp_of(message: Any) -> int:
    return int(message.header.stamp.sec) * 10**9 + int(message.header.stamp.nanosec)
