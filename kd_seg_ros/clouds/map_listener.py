"""What the nodes here have in common: mask and confidence of one stamp, work in a thread, and a state.

The executor's thread takes messages and puts them together. The thread for the work takes the newest complete
set; one that comes while it is busy replaces the one that waits. Nothing is subscribed to while nobody
listens, so that the segmentation node rests as well.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.clock import Clock, ClockType
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.time import Time
from sensor_msgs.msg import Image

from kd_seg_ros.clouds.inputs import Input, Source
from kd_seg_ros.clouds.matching import Match, StampMatcher
from kd_seg_ros.common.fast_dds import prepare_large_images
from kd_seg_ros.common.topics import CONFIDENCE, MASK
from kd_seg_ros.node.complaint import Complaint
from kd_seg_ros.node.diagnostics_publisher import DiagnosticsPublisher, Report
from kd_seg_ros.node.latest_job_thread import LatestJobThread
from kd_seg_ros.node.parameter_files import files_without
from kd_seg_ros.node.program import spin_until_told
from kd_seg_ros.node.ros_log_handler import forward_logs

WATCH_PERIOD_S: Final = 0.25
"""Seconds between two looks at who listens."""
REPORT_PERIOD_S: Final = 1.0
"""Seconds between two reports on /diagnostics."""
PATIENCE_S: Final = 5.0
"""Seconds without a result after which the state is an error."""


class MapListener(ABC):
    """Listens to a segmentation node's maps on a ROS node, and makes something of them."""

    def __init__(self, node: Node, matcher: StampMatcher, task: str, outputs: Sequence[Publisher]) -> None:
        """Begin to watch who listens; :meth:`work` is called from here on.

        :param task: what the state on /diagnostics is called.
        :param outputs: publishers whose subscribers make the work necessary.
        """
        forward_logs(node.get_logger())
        self.node = node
        self.matcher = matcher
        self.outputs = outputs
        topics = {"mask": MASK.name, "confidence": CONFIDENCE.name}
        self.inputs: list[Source] = [
            Input(node, Image, topics[kind], partial(self._take_map, kind)) for kind in matcher.kinds
        ]
        self._wanted_since: float | None = None
        self._made = 0
        self._last_made = 0.0
        self._trouble = ""
        self._complaint = Complaint()
        self._diagnostics = DiagnosticsPublisher(node, task)
        self._thread = LatestJobThread(task, self._failed)
        self._thread.start()
        wall = Clock(clock_type=ClockType.STEADY_TIME)  # simulated time may stand still
        node.create_timer(WATCH_PERIOD_S, self._watch, clock=wall)
        node.create_timer(REPORT_PERIOD_S, self._report, clock=wall)

    @abstractmethod
    def work(self, match: Match) -> None:
        """Make and publish the results of one frame; called in the thread for it.

        :raises ValueError: for messages that cannot be used; the text goes to log and diagnostics.
        """

    def stop(self) -> None:
        """End the thread after the frame it is busy with."""
        self._thread.stop()
        forward_logs(None)

    def take_depth(self, message: Any) -> None:
        """Take in the message that the maps are waiting for."""
        self._give(self.matcher.add_depth(stamp_of(message), message))

    def _take_map(self, kind: str, message: Image) -> None:
        self._give(self.matcher.add_map(kind, stamp_of(message), message))

    def _give(self, match: Match | None) -> None:
        if match is not None:
            self._thread.give(partial(self._make, match))

    def _make(self, match: Match) -> None:
        """Do the work and take note of how it went; in the thread."""
        self.work(match)
        self._made += 1
        self._last_made = time.monotonic()
        self._trouble = ""

    def _failed(self, error: Exception) -> None:
        """Take note of a frame that could not be used; in the thread."""
        if not self.node.context.ok():
            return
        self._trouble = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"

    def _watch(self) -> None:
        """Subscribe or leave, as listeners come and go."""
        wanted = any(publisher.get_subscription_count() for publisher in self.outputs)
        if wanted and self._wanted_since is None:
            self._wanted_since = time.monotonic()
        elif not wanted and self._wanted_since is not None:
            self._wanted_since = None
            self._trouble = ""
            self.matcher.clear()
        for given in self.inputs:
            given.update(wanted)

    def _report(self) -> None:
        """Publish the state, and log what is wrong."""
        trouble = self._what_is_wrong()
        if self._complaint.due(trouble):
            self.node.get_logger().warning(trouble)
        idle = self._wanted_since is None
        level = DiagnosticStatus.ERROR if trouble else DiagnosticStatus.OK
        counts = self.matcher.counts
        values = {
            "made": str(self._made),
            "matched": str(counts.matched),
            "without_depth": str(counts.without_depth),
        }
        message = trouble or ("idle: nobody listens" if idle else "running")
        self._diagnostics.publish(Report("none", level, message, values))

    def _what_is_wrong(self) -> str:
        """Say why nothing comes out; empty if something does, or nobody waits for it."""
        if self._wanted_since is None:
            return ""
        if self._trouble:
            return self._trouble
        now = time.monotonic()
        if now - max(self._wanted_since, self._last_made) < PATIENCE_S:
            return ""
        missing = [given.topic for given in self.inputs if given.required and not given.publishers()]
        if missing:
            return f"nothing to publish: nobody publishes {', '.join(missing)}"
        return f"nothing to publish: {self.why_no_match()}"

    def why_no_match(self) -> str:
        """Say why messages of topics that are published make no result."""
        return f"no {' and '.join(self.matcher.kinds)} of one stamp came in {PATIENCE_S:g} s"


def make_node(name: str, arguments: Sequence[str], context: Any = None) -> Node:
    """Make a node, and warn of parameter files that hold nothing for it.

    :param arguments: the whole command line.
    :param context: of rclpy; None: the default one.
    """
    node = Node(name, context=context)
    for sentence in files_without(arguments, node.get_fully_qualified_name()):
        node.get_logger().warning(sentence)
    return node


def stamp_of(message: Any) -> int:
    """Return a message's stamp in nanoseconds."""
    return int(Time.from_msg(message.header.stamp).nanoseconds)


def spin(make: Callable[[], tuple[Node, MapListener]]) -> int:
    """Make a node and run it until it is told to stop; return the exit status.

    :param make: makes the node and what listens on it; raises UserError for a parameter that is wrong.
    """
    executor = SingleThreadedExecutor()
    prepared = prepare_large_images()  # Fast DDS reads its settings when the first node is made
    node, listener = make()
    if prepared:
        node.get_logger().info(prepared)
    node.get_logger().info(
        f"ready: {' and '.join(given.topic for given in listener.inputs if given.required)}"
    )
    spin_until_told([node], executor, listener.stop)
    return 0
