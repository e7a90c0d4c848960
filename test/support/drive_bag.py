"""A rosbag2 of a short drive with tiny frames, and what was written into it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

STORE = get_typestore(Stores.ROS2_HUMBLE)
START = 1_700_000_000_000_000_000
PERIOD = 20_000_000
FOREVER = QosTime(9223372036, 854775807)

Recorded = list[tuple[str, int, bytes]]


def offered(reliability: QosReliability, durability: QosDurability, depth: int) -> Qos:
    return Qos(
        QosHistory.KEEP_LAST,
        depth,
        reliability,
        durability,
        FOREVER,
        FOREVER,
        QosLiveliness.AUTOMATIC,
        FOREVER,
        False,
    )


def image(number: int) -> Any:
    types = STORE.types
    stamp = types["builtin_interfaces/msg/Time"](
        sec=(START + number * PERIOD) // 10**9, nanosec=(START + number * PERIOD) % 10**9
    )
    header = types["std_msgs/msg/Header"](stamp=stamp, frame_id="camera")
    data = np.random.default_rng(number).integers(0, 256, 12 * 8 * 3, dtype=np.uint8)
    return types["sensor_msgs/msg/Image"](
        header=header, height=8, width=12, encoding="rgb8", is_bigendian=0, step=36, data=data
    )


def write_bag(path: Path, frames: int = 20, plugin: StoragePlugin = StoragePlugin.MCAP) -> Recorded:
    """A drive of small frames: the weather, the frame, and once a latched text before them."""
    recorded: Recorded = []
    text = STORE.types["std_msgs/msg/String"]
    with Writer(path, version=9, storage_plugin=plugin) as writer:
        latched = [offered(QosReliability.RELIABLE, QosDurability.TRANSIENT_LOCAL, depth=1)]
        deep = [offered(QosReliability.RELIABLE, QosDurability.VOLATILE, depth=100)]
        topics = {
            "/note": ("std_msgs/msg/String", latched),
            "/camera/condition": ("std_msgs/msg/String", deep),
            "/camera/image_raw": ("sensor_msgs/msg/Image", deep),
        }
        connections = {
            topic: writer.add_connection(topic, msgtype, typestore=STORE, offered_qos_profiles=qos)
            for topic, (msgtype, qos) in topics.items()
        }

        def write(topic: str, stamp: int, message: Any) -> None:
            raw = bytes(STORE.serialize_cdr(message, topics[topic][0]))
            writer.write(connections[topic], stamp, raw)
            recorded.append((topic, stamp, raw))

        write("/note", START, text(data="a drive"))
        for number in range(frames):
            stamp = START + number * PERIOD
            write("/camera/condition", stamp, text(data=f"fog {number}"))
            write("/camera/image_raw", stamp, image(number))
    return recorded
