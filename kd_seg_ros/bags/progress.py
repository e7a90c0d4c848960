"""A line on the terminal that says how far a long command is."""

from __future__ import annotations

import sys
import time
from typing import TextIO

from kd_seg_ros.common.logs import progress_shown

_WIDTH = 24
_PERIOD_S = 0.2


class Progress:
    """Shows share done, speed and time left, on a terminal only, and not under ``--quiet``."""

    def __init__(self, what: str, total: int, done: int = 0, stream: TextIO | None = None) -> None:
        """Start the clock.

        :param total: number of frames.
        :param done: frames of an earlier run among them; they do not count for the speed.
        """
        self._what, self._total, self._done, self._before = what, total, done, done
        self._stream = sys.stderr if stream is None else stream
        self._shown = self._stream.isatty() and progress_shown()
        self._start = time.monotonic()
        self._next = 0.0

    def step(self) -> None:
        """Count one more frame and redraw the line, at most five times per second."""
        self._done += 1
        now = time.monotonic()
        if self._shown and now >= self._next:
            self._next = now + _PERIOD_S
            self._show(self.line(now - self._start))

    def line(self, seconds: float) -> str:
        """Return the text of the line after so many seconds of this run."""
        share = self._done / self._total if self._total else 1.0
        bar = "#" * int(share * _WIDTH)
        speed = (self._done - self._before) / seconds if seconds > 0 else 0.0
        left = _clock((self._total - self._done) / speed) if speed else "?"
        return f"{self._what} [{bar:{_WIDTH}}] {self._done}/{self._total}  {speed:.1f} frames/s  {left} left"

    def close(self) -> None:
        """Draw the line a last time and end it."""
        if self._shown:
            self._show(self.line(time.monotonic() - self._start))
            self._stream.write("\n")

    def _show(self, line: str) -> None:
        self._stream.write(f"\r{line}\x1b[K")
        self._stream.flush()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
