"""The loop that publishes each message when it is due."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from kd_seg_ros.playback.keyboard import Key, Keyboard
from kd_seg_ros.playback.read_ahead import Recorded
from kd_seg_ros.playback.timeline import Timeline
from kd_seg_ros.playback.timing import Timing

if TYPE_CHECKING:
    from rclpy.node import Node

LONGEST_WAIT_S: Final = 0.05
"""Longest time, s, for which a signal may go unnoticed."""


class BagClock:
    """Publishes the time of the bag on ``/clock`` at a fixed rate, whatever the bag's own rate is."""

    def __init__(self, node: Node, hertz: float) -> None:
        from rosgraph_msgs.msg import Clock

        self._message = Clock()
        self._publisher = node.create_publisher(Clock, "/clock", 1)
        self._period = 1.0 / hertz
        self._due = 0.0

    def tick(self, bag_time: int) -> float:
        """Publish if it is time to; return the seconds until the next tick."""
        now = time.monotonic()
        if now >= self._due:
            on_time = now < self._due + self._period
            self._due = (self._due if on_time else now) + self._period  # what was missed is not made up for
            stamp = self._message.clock
            stamp.sec, stamp.nanosec = divmod(bag_time, 10**9)
            self._publisher.publish(self._message)
        return self._due - now


class Player:
    """Publishes messages in step with a timeline that the keyboard may halt."""

    def __init__(
        self,
        publish: Callable[[Recorded], None],
        keyboard: Keyboard,
        clock: BagClock | None,
        stopped: Callable[[], bool],
        say: Callable[[str], object],
    ) -> None:
        self.timing = Timing()
        self._publish, self._keyboard, self._clock = publish, keyboard, clock
        self._stopped, self._say = stopped, say

    def play(self, messages: Iterable[Recorded], timeline: Timeline) -> int:
        """Publish one round of messages, each when it is due, late ones at once; return how many."""
        count = 0
        for message in messages:
            timed = self._wait_for(message.time, timeline)
            if self._stopped():
                break
            late, start = -timeline.until(message.time), time.monotonic()
            self._publish(message)
            if timed:
                self.timing.add(message.topic, message.time, late, time.monotonic() - start)
            count += 1
        return count

    def _wait_for(self, stamp: int, timeline: Timeline) -> bool:
        """Wait until a bag time is due, or jump there by key; return whether it was waited for."""
        while not self._stopped():
            left = timeline.until(stamp)
            # Bag time never runs ahead of a message that is still to come.
            tick = self._clock.tick(min(timeline.now(), stamp)) if self._clock else math.inf
            if left <= 0:
                return True
            key = self._keyboard.wait(min(left, tick, LONGEST_WAIT_S))
            if key is Key.NEXT and timeline.paused:
                timeline.jump(max(stamp, timeline.now()))
                return False
            self._change(key, timeline)
        return False

    def _change(self, key: Key | None, timeline: Timeline) -> None:
        if key is Key.PAUSE:
            timeline.toggle()
            self._say("paused" if timeline.paused else "resumed")
        elif key is Key.FASTER or key is Key.SLOWER:
            timeline.set_rate(timeline.rate * (1.1 if key is Key.FASTER else 0.9))
            self._say(f"rate {timeline.rate:.3g}")
