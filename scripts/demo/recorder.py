"""Records topics from DDS into a rosbag2, byte for byte as they arrive."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import rclpy
from bags import STORE, open_writer
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from recording import CONFIDENCE, DIAGNOSTICS, MASK
from sensor_msgs.msg import Image

_QUEUE: Final = 100  # messages per topic that may wait while one is written


class Recorder:
    """Writes masks, confidences and diagnostics into a bag while :meth:`spin` is called."""

    counts: Counter[str]
    """Messages recorded, by topic."""
    reports: list[dict[str, str]]
    """What the node has said of itself, oldest first."""

    def __init__(self, path: Path) -> None:
        """Start to listen.

        :param path: of the bag, which must not exist.
        """
        self.counts = Counter()
        self.reports = []
        with ExitStack() as stack:
            self._writer = stack.enter_context(open_writer(path, compress=True))
            context = Context()
            rclpy.init(context=context)
            stack.callback(context.try_shutdown)
            node = rclpy.create_node("recorder", context=context, start_parameter_services=False)
            stack.callback(node.destroy_node)
            self._executor = SingleThreadedExecutor(context=context)
            stack.callback(self._executor.shutdown)
            self._executor.add_node(node)
            # Diagnostics last: whoever's report arrives has discovered the other two before it.
            for topic, kind in ((MASK, Image), (CONFIDENCE, Image), (DIAGNOSTICS, DiagnosticArray)):
                qos = QoSProfile(depth=_QUEUE, reliability=ReliabilityPolicy.RELIABLE)
                node.create_subscription(kind, topic, self._keeper(topic, kind), qos, raw=True)
            self._stack = stack.pop_all()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    def spin(self, seconds: float) -> None:
        """Record what arrives within ``seconds``."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._executor.spin_once(timeout_sec=left)

    def _keeper(self, topic: str, kind: type[Any]) -> Callable[[bytes], None]:
        """Return the callback that writes one topic's messages."""
        name = f"{kind.__module__.split('.')[0]}/msg/{kind.__name__}"
        connection = self._writer.add_connection(topic, name, typestore=STORE)

        def keep(raw: bytes) -> None:
            self._writer.write(connection, time.time_ns(), raw)
            self.counts[topic] += 1
            if topic == DIAGNOSTICS:
                self._note(deserialize_message(raw, kind))

        return keep

    def _note(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name.endswith(": segmentation"):
                self.reports.append({item.key: item.value for item in status.values})
