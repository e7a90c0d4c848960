"""Bag time as it passes: at a rate, halted by a pause, moved by a jump. No ROS in here."""

from __future__ import annotations

import math
import time
from collections.abc import Callable


class Timeline:
    """The time of the bag as a function of the steady clock.

    ``bag = bag₀ + rate · (now − now₀)``, all in ns; pausing, resuming and a change of the rate set the pair
    (bag₀, now₀) again. (Constants of the bag are integers: a float does not hold a date in ns.)
    """

    def __init__(
        self,
        start: int,
        rate: float = 1.0,
        paused: bool = False,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """Start to run, or stand still if ``paused``.

        :param start: bag time at this moment, ns.
        :param clock: ns, never running backwards.
        """
        self._clock = clock
        self._bag = start
        self._anchor = clock()
        self._rate = rate
        self._paused = paused

    @property
    def paused(self) -> bool:
        """Whether bag time stands still."""
        return self._paused

    @property
    def rate(self) -> float:
        """Speed: seconds of bag time per second, while it is not paused."""
        return self._rate

    def now(self) -> int:
        """Return the present bag time, ns."""
        if self._paused:
            return self._bag
        return self._bag + round((self._clock() - self._anchor) * self._rate)

    def until(self, stamp: int) -> float:
        """Return the seconds until a bag time is due: negative if it has passed, infinite while paused."""
        if self._paused:
            return math.inf
        passed = (self._clock() - self._anchor) * 1e-9
        return (stamp - self._bag) * 1e-9 / self._rate - passed

    def toggle(self) -> None:
        """Pause, or resume from the present bag time."""
        self._set_anchor(self.now())
        self._paused = not self._paused

    def set_rate(self, rate: float) -> None:
        """Continue at another rate."""
        self._set_anchor(self.now())
        self._rate = rate

    def jump(self, stamp: int) -> None:
        """Continue from another bag time, ns."""
        self._set_anchor(stamp)

    def _set_anchor(self, bag: int) -> None:
        self._bag, self._anchor = bag, self._clock()
