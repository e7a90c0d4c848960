"""Whether the network is as often right as it was in calibration, as far as that can be told without labels.

The estimate per image is that of :mod:`kd_seg_ros.inference.accuracy`; the card holds its range over the
images of calibration. A raw estimate sees only that the network is less sure (or surer) than it was; a
corrected one also sees that the images are strange. No ROS in here.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.inference.accuracy import RAW, UNKNOWN, AccuracyEstimate, AccuracyEstimator
from kd_seg_ros.inference.card import FULL, ModelCard


@dataclass(frozen=True)
class Drift:
    """The expected accuracy of the last seconds, and the range that calibration saw."""

    expected_accuracy: float | None
    """Mean over the window's images, 0…1; None if it is unknown for half of them or more."""
    low: float
    """Lowest expected accuracy of the images in calibration, 0…1."""
    high: float
    """Highest expected accuracy of the images in calibration, 0…1."""
    frames: int
    """Number of images in the window."""
    latest: float | None
    """Expected accuracy of the last image alone, 0…1; None if it is unknown."""
    kind: str = RAW
    """How the window's figure was found: see :class:`~kd_seg_ros.inference.accuracy.AccuracyEstimate`."""

    @property
    def unknown(self) -> bool:
        """True if the window's images are too strange for an estimate."""
        return self.expected_accuracy is None

    @property
    def outside(self) -> bool:
        """True if the window's expected accuracy is known, and outside the range of calibration."""
        return self.expected_accuracy is not None and not self.low <= self.expected_accuracy <= self.high


class DriftMonitor:
    """Compares the expected accuracy of the last seconds with calibration; may be called from any thread."""

    def __init__(
        self,
        estimator: AccuracyEstimator,
        seen: Sequence[float],
        window: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start watching.

        :param estimator: of the model.
        :param seen: lowest and highest expected accuracy in calibration, 0…1.
        :param window: how long an image counts, in seconds.
        :param clock: seconds, never running backwards.
        """
        self._estimator = estimator
        self._low, self._high = seen
        self._window = window
        self._clock = clock
        self._lock = Lock()
        self._frames: deque[tuple[float, AccuracyEstimate]] = deque()

    @classmethod
    def of_card(cls, card: ModelCard, window: float) -> DriftMonitor | None:
        """Watch for a model; None if its card does not say what calibration saw.

        :param window: how long an image counts, in seconds.
        """
        estimator = AccuracyEstimator.of_card(card)
        seen = card.accuracy_correction.get("range") or card.expected_accuracy.get(FULL)
        return cls(estimator, seen, window) if estimator and seen else None

    def add(self, confidence: NDArray[np.uint8], distance: float | None = None) -> None:
        """Add an image.

        :param confidence: its confidence map, round(255 · p), uint8 [H, W].
        :param distance: its domain distance, 0…∞; None if the file does not tell it.
        """
        found = self._estimator.estimate(confidence, distance)
        with self._lock:
            self._frames.append((self._clock(), found))
            self._forget()

    def state(self) -> Drift | None:
        """Return the drift over the window; None if no image is in it."""
        with self._lock:
            self._forget()
            estimates = [found for _, found in self._frames]
        if not estimates:
            return None
        known = [found.value for found in estimates if found.value is not None]
        # As with the distance, most images decide: a single strange one says nothing of the others.
        enough = 2 * len(known) > len(estimates)
        mean = float(np.mean(known)) if enough else None
        kind = self._estimator.kind if enough else UNKNOWN
        return Drift(mean, self._low, self._high, len(estimates), estimates[-1].value, kind)

    def _forget(self) -> None:
        """Drop what is older than the window."""
        oldest = self._clock() - self._window
        while self._frames and self._frames[0][0] < oldest:
            self._frames.popleft()
