"""Replaying in lock-step: the next frame only when the last one is answered, so that none is dropped."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from distill.drives.node_process import PATIENCE_S, Watch, counts, wait_until_settled
from kd_seg_ros.common.child_process import ProcessError

if TYPE_CHECKING:
    from distill.drives.recorder import Recorder

_LOOK_S: Final = 0.2  # how long the end of the node may go unnoticed
_FAILURES: Final = {"frames_rejected": "rejected", "frames_failed": "failed"}


@dataclass
class Steps:
    """What became of the frames of a lock-step replay."""

    sent: dict[int, int] = field(default_factory=dict)
    """Moment at which each frame was published, ns since 1970, by header stamp (ns)."""
    unanswered: dict[int, str] = field(default_factory=dict)
    """Reason why a frame has no answer, by header stamp: rejected, failed or timeout."""


def replay_in_lock_step(
    recorder: Recorder,
    frames: Iterable[tuple[int, bytes]],
    topic: str,
    message_type: type[Any],
    timeout: float,
    watch: Watch,
    on_frame: Callable[[], None],
) -> Steps:
    """Publish one frame after the other and record the answers.

    :param frames: header stamp and serialised message.
    :param timeout: seconds to wait for each answer; the wait ends early when the node reports that it has
        rejected the frame or failed on it.
    :param on_frame: called after each frame.
    :raises ProcessError: if nobody subscribes, or the node ends or falls silent.
    """
    from rclpy.qos import QoSProfile

    publisher = recorder.node.create_publisher(message_type, topic, QoSProfile(depth=1))
    steps = Steps()
    try:
        _wait_for_subscriber(recorder, publisher, topic, watch)
        for stamp, raw in frames:
            # What the node reports from here on can only be about this frame: the one before is answered.
            steps.sent[stamp] = time.time_ns()
            before, heard = recorder.reports[-1], len(recorder.reports)
            publisher.publish(raw)
            reason = _wait_for_answer(recorder, stamp, before, timeout, watch)
            if reason:
                steps.unanswered[stamp] = reason
            if reason == "timeout" and len(recorder.reports) == heard:
                raise ProcessError(f"the node has fallen silent: nothing from it for {timeout:g} s")
            on_frame()
        wait_until_settled(recorder, watch)
    finally:
        recorder.node.destroy_publisher(publisher)
    return steps


def _wait_for_subscriber(recorder: Recorder, publisher: Any, topic: str, watch: Watch) -> None:
    end = time.monotonic() + PATIENCE_S
    while not recorder.spin_until(lambda: publisher.get_subscription_count() > 0, 0.05):
        watch()
        if time.monotonic() > end:
            raise ProcessError(f"nobody has subscribed to {topic} within {PATIENCE_S:g} s")


def _wait_for_answer(
    recorder: Recorder, stamp: int, before: dict[str, str], timeout: float, watch: Watch
) -> str | None:
    """Wait for a frame's answer; return None once it has come, or the reason why there is none."""
    end = time.monotonic() + timeout
    while not recorder.spin_until(lambda: recorder.answered(stamp), _LOOK_S):
        watch()
        for key, reason in _FAILURES.items():
            if counts(recorder.reports[-1], before)[key]:
                return reason
        if time.monotonic() > end:
            return "timeout"
    return None
