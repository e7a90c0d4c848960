"""Saying something once, again when it changes, and now and then as long as it lasts. No ROS in here."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

REPEAT_S: Final = 30.0
"""Seconds after which a state that lasts is told again."""


class Complaint:
    """Decides when the log mentions one matter."""

    def __init__(self, repeat_s: float = REPEAT_S, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with nothing to tell.

        :param clock: seconds, never running backwards.
        """
        self._repeat_s = repeat_s
        self._clock = clock
        self._about = ""
        self._last = 0.0

    def due(self, about: str) -> bool:
        """Return whether something has to be told now: it is new, has changed, or lasts since it was told.

        :param about: what is wrong, without numbers that change; empty: nothing is.
        """
        now = self._clock()
        new = about != self._about or now - self._last >= self._repeat_s
        self._about = about
        if about and new:
            self._last = now
        return bool(about) and new

    @property
    def lasts(self) -> bool:
        """Whether something was wrong at the last call."""
        return bool(self._about)
