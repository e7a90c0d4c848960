"""Writing serialised messages of several topics into a new bag."""

from __future__ import annotations

from typing import Any

from rosbags.rosbag2 import Writer

from kd_seg_ros.bags.messages import RELIABLE, STORE


class Channels:
    """Writes messages; a topic is added with its first message."""

    def __init__(self, bag: Writer) -> None:
        self._bag = bag
        self._connections: dict[str, Any] = {}

    def __call__(self, topic: str, msgtype: str, log_time: int, raw: bytes | memoryview) -> None:
        """Write a message (CDR) with its log time in ns."""
        if topic not in self._connections:
            self._connections[topic] = self._bag.add_connection(
                topic, msgtype, typestore=STORE, offered_qos_profiles=[RELIABLE]
            )
        self._bag.write(self._connections[topic], log_time, raw)
