"""Records what a node publishes from DDS into a rosbag2, byte for byte as it arrives."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin
from sensor_msgs.msg import Image

from distill.drives.output_topics import OutputTopics
from kd_seg_ros.bags.headers import read_header
from kd_seg_ros.bags.messages import METADATA_VERSION, STORE
from kd_seg_ros.bags.writing import BagWriter
from kd_seg_ros.common.topics import DIAGNOSTICS

_QUEUE: Final = 100  # messages per topic that may wait while one is written


class Recorder:
    """Writes masks, confidences and diagnostics into a bag while :meth:`spin` is called."""

    counts: Counter[str]
    """Number of messages recorded, by topic."""
    arrivals: dict[str, dict[int, int]]
    """Moment at which each map arrived first, ns since 1970, by topic, then header stamp (ns)."""
    reports: list[dict[str, str]]
    """The node's reports on ``/diagnostics``, oldest first."""

    def __init__(self, path: Path, outputs: OutputTopics) -> None:
        """Start to listen.

        :param path: of the bag, which must not exist.
        """
        self.outputs = outputs
        self.counts = Counter()
        self.arrivals = {outputs.mask: {}, outputs.confidence: {}}
        self.reports = []
        with ExitStack() as stack:
            self._writer = BagWriter(path, version=METADATA_VERSION, storage_plugin=StoragePlugin.MCAP)
            self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
            stack.enter_context(self._writer)
            context = Context()
            rclpy.init(context=context)
            stack.callback(context.try_shutdown)
            self.node = rclpy.create_node("recorder", context=context, start_parameter_services=False)
            stack.callback(self.node.destroy_node)
            self._executor = SingleThreadedExecutor(context=context)
            stack.callback(self._executor.shutdown)
            self._executor.add_node(self.node)
            # Diagnostics last: whoever's report arrives has discovered the other two before it.
            topics = ((outputs.mask, Image), (outputs.confidence, Image), (DIAGNOSTICS, DiagnosticArray))
            for topic, kind in topics:
                qos = QoSProfile(depth=_QUEUE, reliability=ReliabilityPolicy.RELIABLE)
                self.node.create_subscription(kind, topic, self._keeper(topic, kind), qos, raw=True)
            self._stack = stack.pop_all()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    def spin(self, seconds: float) -> None:
        """Record what arrives within ``seconds``."""
        self.spin_until(lambda: False, seconds)

    def spin_until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Record until ``condition`` holds, at most for ``seconds``; return whether it does."""
        end = time.monotonic() + seconds
        while not condition():
            left = end - time.monotonic()
            if left <= 0:
                return False
            self._executor.spin_once(timeout_sec=left)
        return True

    def answered(self, stamp: int) -> bool:
        """Return whether mask and confidence of a header stamp (ns) have arrived."""
        return all(stamp in arrived for arrived in self.arrivals.values())

    def _keeper(self, topic: str, kind: type[Any]) -> Callable[[bytes], None]:
        """Return the callback that writes one topic's messages."""
        name = f"{kind.__module__.split('.')[0]}/msg/{kind.__name__}"
        connection = self._writer.add_connection(topic, name, typestore=STORE)

        def keep(raw: bytes) -> None:
            now = time.time_ns()
            self._writer.write(connection, now, raw)
            self.counts[topic] += 1
            if topic == DIAGNOSTICS:
                self._note(deserialize_message(raw, kind))
            else:
                self.arrivals[topic].setdefault(read_header(raw).stamp, now)

        return keep

    def _note(self, message: DiagnosticArray) -> None:
        for status in message.status:
            name, _, what = status.name.partition(": ")
            namespace = name.replace("//", "/").rpartition("/")[0]  # diagnostic_updater doubles the root's
            if what == "segmentation" and namespace == self.outputs.namespace:
                self.reports.append({item.key: item.value for item in status.values})
