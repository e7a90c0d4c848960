"""What happened to the frames of the last seconds: counts, rates and percentiles. No ROS in here."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

import numpy as np

WINDOW_S = 10.0
"""Seconds over which rates and percentiles are taken."""


@dataclass(frozen=True)
class Summary:
    """The statistics at one moment."""

    totals: dict[str, int]
    """Number of frames since the start, by event."""
    rates: dict[str, float]
    """Frames per second over the window, by event; events that did not happen in it are absent."""
    percentiles: dict[str, tuple[float, float, float]]
    """(p50, p95, p99) over the window, by recorded quantity, in the unit it was recorded in."""


class FrameStatistics:
    """Counts events and records durations; may be called from any thread."""

    def __init__(self, window: float = WINDOW_S, clock: Callable[[], float] = time.monotonic) -> None:
        """Start counting.

        :param window: seconds over which rates and percentiles are taken.
        :param clock: seconds, never running backwards.
        """
        self._window = window
        self._clock = clock
        self._start = clock()
        self._lock = Lock()
        self._totals: Counter[str] = Counter()
        self._events: dict[str, deque[float]] = {}
        self._samples: dict[str, deque[tuple[float, float]]] = {}

    def count(self, event: str) -> None:
        """Count one frame to which ``event`` happened."""
        with self._lock:
            self._totals[event] += 1
            self._events.setdefault(event, deque()).append(self._clock())
            self._forget()

    def record(self, quantity: str, value: float) -> None:
        """Record one frame's value of ``quantity``."""
        with self._lock:
            self._samples.setdefault(quantity, deque()).append((self._clock(), value))
            self._forget()

    def summary(self) -> Summary:
        """Summarise what is in the window now."""
        with self._lock:
            self._forget()
            totals = dict(self._totals)
            events = {event: len(times) for event, times in self._events.items() if times}
            samples = {name: list(pairs) for name, pairs in self._samples.items() if pairs}
            seconds = min(self._window, self._clock() - self._start)
        rates = {event: number / seconds for event, number in events.items()} if seconds > 0 else {}
        percentiles = {}
        for name, pairs in samples.items():
            p50, p95, p99 = np.percentile([value for _, value in pairs], [50, 95, 99]).tolist()
            percentiles[name] = (p50, p95, p99)
        return Summary(totals, rates, percentiles)

    def _forget(self) -> None:
        """Drop what has left the window."""
        oldest = self._clock() - self._window
        for times in self._events.values():
            while times and times[0] < oldest:
                times.popleft()
        for pairs in self._samples.values():
            while pairs and pairs[0][0] < oldest:
                pairs.popleft()
