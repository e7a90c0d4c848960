"""The node's outputs as another process sees them: when a result arrives, and what /diagnostics says."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from statistics import median
from types import TracebackType
from typing import Any, Final

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Image

from kd_seg_ros.benchmark.node_process import NAMESPACE
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.topics import DIAGNOSTICS

STOPPING: Final = (signal.SIGINT, signal.SIGTERM)
OUTPUTS: Final = ("mask", "confidence")
ENDS: Final = ("published", "overwritten", "rejected", "failed")
"""What becomes of a received frame is one of these."""
Counts = dict[str, int]


def reported(states: Sequence[dict[str, str]], quantity: str) -> dict[str, float]:
    """Medians over the node's reports, each of which covers the last ten seconds.

    :return: ``p50`` and ``p99``.
    :raises UserError: if the node has not reported the quantity.
    """
    found = {}
    for percentile in ("p50", "p99"):
        key = f"{quantity}_{percentile}"
        values = [float(state[key]) for state in states if key in state]
        if not values:
            raise UserError("the node has answered no image: try more --seconds, or a lower --rate")
        found[percentile] = median(values)
    return found


class Listener:
    """Subscribes to mask, confidence and diagnostics; receives while it spins, in the caller's thread."""

    def __init__(self) -> None:
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
        self.node = rclpy.create_node("listener", namespace=NAMESPACE)
        self.ages: dict[str, list[float]] = {name: [] for name in OUTPUTS}
        """Milliseconds from the stamp to the arrival here, of each message."""
        self.arrivals: list[float] = []
        """Moment at which each mask arrived, s on the monotonic clock."""
        self.states: list[dict[str, str]] = []
        """What the node said about itself, in order."""
        for name in OUTPUTS:
            self._subscribe(name)
        self.node.create_subscription(DiagnosticArray, DIAGNOSTICS, self._keep, 10)
        self._interrupted = False
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)

    def __enter__(self) -> Listener:
        # Within rclpy a KeyboardInterrupt would do harm, and a second one break the clean-up.
        self._handlers = {number: signal.signal(number, self._interrupt) for number in STOPPING}
        return self

    def _interrupt(self, *_: object) -> None:
        self._interrupted = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.try_shutdown()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _subscribe(self, name: str) -> None:
        def arrived(message: Image) -> None:
            now = time.time_ns()
            stamp = message.header.stamp
            self.ages[name].append(1e-6 * (now - stamp.sec * 10**9 - stamp.nanosec))
            if name == OUTPUTS[0]:
                self.arrivals.append(time.monotonic())

        self.node.create_subscription(Image, f"segmentation/{name}", arrived, QoSProfile(depth=1))

    def _keep(self, array: DiagnosticArray) -> None:
        for status in array.status:
            if status.name.startswith(f"{NAMESPACE}/"):
                self.states.append({pair.key: pair.value for pair in status.values})

    def clear(self) -> None:
        """Forget all that has arrived."""
        for ages in self.ages.values():
            ages.clear()
        self.arrivals.clear()
        self.states.clear()

    def spin_once(self) -> None:
        """Receive one message, or wait for one at most 50 ms.

        :raises KeyboardInterrupt: after SIGINT or SIGTERM.
        """
        self._executor.spin_once(timeout_sec=0.05)
        if self._interrupted:
            raise KeyboardInterrupt

    def spin_while(self, condition: Callable[[], Any], seconds: float = 60.0) -> bool:
        """Receive while ``condition`` holds; return whether it ceased in time."""
        deadline = time.monotonic() + seconds
        while condition():
            if time.monotonic() > deadline:
                return False
            self.spin_once()
        return True

    def counts(self) -> Counts:
        """Return the node's frame counters as last reported."""
        state = self.states[-1] if self.states else {}
        return {name: int(state.get(f"frames_{name}", 0)) for name in ("received", *ENDS, "paused")}

    def settled_counts(self, seconds: float = 20.0) -> Counts:
        """Return the counters once every received frame has come to its end and no more come.

        The last ones reported, if that takes longer than ``seconds``.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            before, seen = self.counts(), len(self.states)
            self.spin_while(lambda: len(self.states) < seen + 2, 5.0)  # noqa: B023 (used at once)
            now = self.counts()
            if self.states and now == before and now["received"] == sum(now[end] for end in ENDS):
                break
        return self.counts()
