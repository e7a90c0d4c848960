"""When the next image is due, and whether it is worth waiting for. No ROS in here."""

from __future__ import annotations

from collections import deque
from itertools import pairwise
from typing import Final

INTERVALS: Final = 16
"""Intervals between images from which the camera's period is taken."""
FEWEST: Final = 5
IRREGULAR: Final = 0.5
"""Distance between the quartiles of the intervals, in periods, from which the next image is not foreseen."""
WAITED: Final = 0.5
"""Part of a period after which an image is let pass: from there on the next is nearer in time than it is."""
LATE: Final = 0.25
"""Part of a period that an image may be late before the wait for it ends: the camera may have stopped."""


class CameraRhythm:
    """Estimates the camera's period from the arrivals of its images.

    An image is noted in one thread and waited for in another.
    """

    def __init__(self) -> None:
        """Start without a period."""
        self._arrivals: deque[float] = deque(maxlen=INTERVALS + 1)

    def note(self, arrival: float) -> None:
        """Take note of an image, in seconds of a clock that never runs backwards."""
        self._arrivals.append(arrival)

    @property
    def period(self) -> float | None:
        """Median interval between images in seconds; None while there are few or they come irregularly."""
        arrivals = list(self._arrivals)  # a copy, since images may come meanwhile
        intervals = sorted(later - earlier for earlier, later in pairwise(arrivals))
        count = len(intervals)
        if count < FEWEST:
            return None
        low, period, high = intervals[count // 4], intervals[count // 2], intervals[3 * count // 4]
        return period if high - low < IRREGULAR * period else None

    def wait_for_next(self, arrival: float, now: float) -> float:
        """Return for how many seconds to wait for a fresher image than the one at hand; 0: take this one.

        With period P an image that has waited w > P/2 is let pass, since the next is due in P − w < P/2. So
        no image is older than P/2 when it is taken, instead of P, and a frame takes P/8 longer on average.

        :param arrival: when the image at hand came.
        """
        period, waited = self.period, now - arrival
        if period is None or waited <= WAITED * period:
            return 0.0
        return max(0.0, (1 + LATE) * period - waited)
