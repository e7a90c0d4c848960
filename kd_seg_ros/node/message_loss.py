"""Counting images that a publisher sent and that never came. No ROS in here.

Two sources tell: the numbers of the messages that came, and the middleware's own count. After a fault of the
transport either may jump, as by 2³¹; more than a camera can have sent in the time is not counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Final

FASTEST_HZ: Final = 1000.0
"""Images per second that no camera exceeds."""
BURST: Final = 100
"""Images that may be missing at once however short the time, as the clock of a burst is not ours."""


class LostMessageCounter:
    """Counts the sequence numbers missing between those that came, while there is a single publisher.

    Each publisher counts its own messages, so that the numbers of several say nothing.
    """

    missing = 0
    """Number of messages missing since the start, by the gaps in their numbers."""
    reported = 0
    """Number of messages that the middleware has reported as lost since the start."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start counting.

        :param clock: seconds, never running backwards.
        """
        self._clock = clock
        self._publishers: frozenset[bytes] = frozenset()
        self._last: int | None = None
        self._last_time = self._last_report = clock()

    def watch(self, publishers: Iterable[bytes]) -> None:
        """Take note of who publishes; if that has changed, counting resumes with the next image.

        :param publishers: identifiers of the topic's publishers.
        """
        found = frozenset(publishers)
        if found != self._publishers:
            self._publishers = found
            self.restart()

    def restart(self) -> None:
        """Accept any number as the next one."""
        self._last = None

    def note(self, number: int | None) -> None:
        """Take note of an image.

        :param number: its sequence number; None where the middleware does not tell.
        """
        if number is None or len(self._publishers) != 1:
            return
        now = self._clock()
        if self._last is not None:
            gap = number - self._last - 1
            self.missing += gap if _possible(gap, now - self._last_time) else 0
        self._last, self._last_time = number, now

    def report(self, count: int) -> None:
        """Take note that the middleware reports losses.

        :param count: messages since its last report.
        """
        now = self._clock()
        self.reported += count if _possible(count, now - self._last_report) else 0
        self._last_report = now


def _possible(count: int, seconds: float) -> bool:
    """Return whether a camera can have sent so many images in so many seconds."""
    return 0 <= count <= BURST + FASTEST_HZ * seconds
