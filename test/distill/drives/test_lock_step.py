"""Lock-step with a node that is played by this process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("rclpy")

from distill.drives import lock_step
from distill.drives.lock_step import Steps, replay_in_lock_step
from kd_seg_ros.common.child_process import ProcessError

KEYS = ("received", "published", "overwritten", "rejected", "failed")


class Node:
    """Stands in for the recorder: answers each frame at once, as told by its first byte."""

    def __init__(self) -> None:
        self.node = self
        self.frames = dict.fromkeys(KEYS, 0)
        self.reports = [self.report()]
        self.sent: list[int] = []
        self.stamps: set[int] = set()

    def report(self) -> dict[str, str]:
        return {f"frames_{key}": str(value) for key, value in self.frames.items()}

    def create_publisher(self, *_: Any) -> Any:
        return self

    def destroy_publisher(self, _: Any) -> None:
        pass

    def get_subscription_count(self) -> int:
        return 1

    def publish(self, raw: bytes) -> None:
        stamp, outcome = raw
        self.sent.append(stamp)
        if outcome == ord("-"):  # silent
            return
        self.frames["received"] += outcome != ord("l")
        if outcome == ord("p"):
            self.stamps.add(stamp)
        name = {"p": "published", "r": "rejected", "f": "failed"}.get(chr(outcome))
        if name:
            self.frames[name] += 1
        self.reports.append(self.report())

    def answered(self, stamp: int) -> bool:
        return stamp in self.stamps

    def spin_until(self, condition: Callable[[], bool], seconds: float) -> bool:
        return condition()


def replay(node: Any, outcomes: bytes, watch: Callable[[], None] = lambda: None) -> Steps:
    frames = [(stamp, bytes([stamp, outcome])) for stamp, outcome in enumerate(outcomes)]
    return replay_in_lock_step(node, frames, "/image", object, 0.01, watch, lambda: None)


def test_every_frame_is_sent_once_and_what_is_not_answered_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock_step, "wait_until_settled", lambda *_: None)
    node = Node()
    steps = replay(node, b"pprpfpl")
    assert node.sent == [0, 1, 2, 3, 4, 5, 6]
    assert steps.unanswered == {2: "rejected", 4: "failed", 6: "timeout"}
    assert list(steps.sent) == node.sent


def test_a_node_that_falls_silent() -> None:
    with pytest.raises(ProcessError, match="fallen silent: nothing from it for"):
        replay(Node(), b"pp-p")


def test_a_node_that_ends() -> None:
    def watch() -> None:
        raise ProcessError("the node has ended")

    with pytest.raises(ProcessError, match="has ended"):
        replay(Node(), b"pp-p", watch)
