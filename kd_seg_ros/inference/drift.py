"""How often the mask is right as far as its own confidence tells, and whether that has drifted.

The model card says for each of B confidence bins how often pixels of that confidence were right on labelled
images (the reliability table, accuracy a_b). With n_b the pixels of an image in bin b::

    expected accuracy = Σ_b n_b · a_b / Σ_b n_b

and the card's range holds that of nearly all images it was calibrated on. This estimate needs no labels: it
sees that the network is less sure (or surer) than it was, but not that a network is wrong and sure of it. No
ROS in here.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.inference.card import FULL, ModelCard

STRIDE: Final = 4
"""Every fourth row and column is counted: neighbouring pixels agree, and a sixteenth of them is enough."""
LEVELS: Final = 256
"""Values that a byte of a confidence map can have."""


def bin_accuracy(reliability: Mapping[str, Sequence[float | None]]) -> NDArray[np.float64]:
    """Return how often pixels of each confidence bin were right in calibration: a_b, 0…1, float64 [B].

    A bin that was empty in calibration gets the middle of its range of confidence.
    """
    accuracy = reliability["accuracy"]
    middles = (np.arange(len(accuracy)) + 0.5) / len(accuracy)
    pairs = zip(accuracy, middles, strict=True)
    return np.array([middle if measured is None else measured for measured, middle in pairs])


def expected_accuracy(counts: NDArray[np.number], accuracy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the expected accuracy, 0…1; NaN without pixels.

    :param counts: pixels in each bin, [..., B].
    :param accuracy: result of :func:`bin_accuracy`, [B].
    """
    total = counts.sum(axis=-1)
    hits = counts @ accuracy
    return np.divide(hits, total, out=np.full(np.shape(total), math.nan), where=total > 0)


def bin_counts(confidence: NDArray[np.uint8], bins: int) -> NDArray[np.int64]:
    """Count the pixels in each of some equal bins of confidence, int64 [B].

    :param confidence: round(255 · p), [H, W]; every fourth row and column is counted.
    :param bins: their number B.
    """
    # OpenCV counts the 256 levels, which then are added up by bin: faster than sorting pixels into bins.
    seen = np.ascontiguousarray(confidence[::STRIDE, ::STRIDE])
    histogram = cv2.calcHist([seen], [0], None, [LEVELS], [0, LEVELS])[:, 0].astype(np.int64)
    level = np.minimum(np.arange(LEVELS) * bins // (LEVELS - 1), bins - 1)
    return np.bincount(level, weights=histogram, minlength=bins).astype(np.int64)


@dataclass(frozen=True)
class Drift:
    """The expected accuracy of the last seconds, and the range that calibration saw."""

    expected_accuracy: float
    """Expected accuracy over all pixels of the window, 0…1."""
    low: float
    """Lowest expected accuracy of the images in calibration, 0…1."""
    high: float
    """Highest expected accuracy of the images in calibration, 0…1."""
    frames: int
    """Number of images in the window."""
    latest: float
    """Expected accuracy of the last image alone, 0…1."""

    @property
    def outside(self) -> bool:
        """True if the window's expected accuracy is outside the range of calibration."""
        return not self.low <= self.expected_accuracy <= self.high


class DriftMonitor:
    """Compares the confidence of the last seconds with calibration; may be called from any thread."""

    def __init__(
        self,
        reliability: Mapping[str, Sequence[float | None]],
        seen: Sequence[float],
        window: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start watching.

        :param reliability: the card's reliability table over all conditions.
        :param seen: lowest and highest expected accuracy in calibration, 0…1.
        :param window: how long an image counts, in seconds.
        :param clock: seconds, never running backwards.
        """
        self._accuracy = bin_accuracy(reliability)
        self._low, self._high = seen
        self._window = window
        self._clock = clock
        self._lock = Lock()
        self._frames: deque[tuple[float, NDArray[np.int64]]] = deque()
        self._sum = np.zeros(len(self._accuracy), np.int64)

    @classmethod
    def of_card(cls, card: ModelCard, window: float) -> DriftMonitor | None:
        """Watch for a model; None if its card does not say what calibration saw.

        :param window: how long an image counts, in seconds.
        """
        if FULL not in card.reliability or FULL not in card.expected_accuracy:
            return None
        return cls(card.reliability[FULL], card.expected_accuracy[FULL], window)

    def add(self, confidence: NDArray[np.uint8]) -> None:
        """Add an image.

        :param confidence: its confidence map, round(255 · p), uint8 [H, W].
        """
        counts = bin_counts(confidence, len(self._sum))
        with self._lock:
            self._frames.append((self._clock(), counts))
            self._sum += counts
            self._forget()

    def state(self) -> Drift | None:
        """Return the drift over the window; None if no image is in it."""
        with self._lock:
            self._forget()
            if not self._frames:
                return None
            of_window = float(expected_accuracy(self._sum, self._accuracy))
            _, counts = self._frames[-1]
            latest = float(expected_accuracy(counts, self._accuracy))
            return Drift(of_window, self._low, self._high, len(self._frames), latest)

    def _forget(self) -> None:
        """Take out of the sum what is older than the window."""
        oldest = self._clock() - self._window
        while self._frames and self._frames[0][0] < oldest:
            self._sum -= self._frames.popleft()[1]
