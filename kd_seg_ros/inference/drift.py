"""How often the mask is right as far as its own confidence tells, and whether that has drifted.

The model card says for each of B confidence bins how often pixels of that confidence were right on labelled
images (the reliability table, accuracy a_b). With n_b the pixels of an image in bin b::

    expected accuracy = Σ_b n_b · a_b / Σ_b n_b

and the card's range holds that of nearly all images it was calibrated on. An unsupervised estimate: it sees
that the network is less sure (or surer) than it was, but a network that is wrong and sure of it is not found
out. No ROS in here.
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
"""Of the rows and columns that are looked at: neighbours agree."""
LEVELS: Final = 256


def bin_accuracy(reliability: Mapping[str, Sequence[float | None]]) -> NDArray[np.float64]:
    """Return a_b, [B]; a bin that was empty in calibration is taken at its word: its middle."""
    accuracy = reliability["accuracy"]
    middle = (np.arange(len(accuracy)) + 0.5) / len(accuracy)
    return np.array([m if a is None else a for a, m in zip(accuracy, middle, strict=True)])


def expected_accuracy(counts: NDArray[np.number], accuracy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the expected accuracy, 0…1; NaN without pixels.

    :param counts: [..., B], pixels by bin.
    :param accuracy: [B], of :func:`bin_accuracy`.
    """
    total = counts.sum(axis=-1)
    hits = counts @ accuracy
    return np.divide(hits, total, out=np.full(np.shape(total), math.nan), where=total > 0)


def bin_counts(confidence: NDArray[np.uint8], bins: int) -> NDArray[np.int64]:
    """Count the pixels of a confidence map, round(255·p), by equal bins of p; every fourth row and column."""
    seen = np.ascontiguousarray(confidence[::STRIDE, ::STRIDE])
    histogram = cv2.calcHist([seen], [0], None, [LEVELS], [0, LEVELS])[:, 0].astype(np.int64)
    level = np.minimum(np.arange(LEVELS) * bins // (LEVELS - 1), bins - 1)
    return np.bincount(level, weights=histogram, minlength=bins).astype(np.int64)


@dataclass(frozen=True)
class Drift:
    """The images of the last seconds."""

    expected_accuracy: float
    """Over all of their pixels, 0…1."""
    low: float
    """The range seen in calibration."""
    high: float
    frames: int
    latest: float
    """Expected accuracy of the last image alone."""

    @property
    def outside(self) -> bool:
        """Whether the range is left."""
        return not self.low <= self.expected_accuracy <= self.high


class DriftMonitor:
    """Keeps the confidence of the last seconds; may be called from any thread."""

    def __init__(
        self,
        reliability: Mapping[str, Sequence[float | None]],
        seen: Sequence[float],
        window: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start watching.

        :param reliability: of the card, all conditions.
        :param seen: lowest and highest expected accuracy in calibration.
        :param window: seconds.
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

        :param window: seconds.
        """
        if FULL not in card.reliability or FULL not in card.expected_accuracy:
            return None
        return cls(card.reliability[FULL], card.expected_accuracy[FULL], window)

    def add(self, confidence: NDArray[np.uint8]) -> None:
        """Add an image's confidence map."""
        counts = bin_counts(confidence, len(self._sum))
        with self._lock:
            self._frames.append((self._clock(), counts))
            self._sum += counts
            self._forget()

    def state(self) -> Drift | None:
        """Return what the window holds; None if that is nothing."""
        with self._lock:
            self._forget()
            if not self._frames:
                return None
            value, latest = (
                float(expected_accuracy(counts, self._accuracy))
                for counts in (self._sum, self._frames[-1][1])
            )
            return Drift(value, self._low, self._high, len(self._frames), latest)

    def _forget(self) -> None:
        oldest = self._clock() - self._window
        while self._frames and self._frames[0][0] < oldest:
            self._sum -= self._frames.popleft()[1]
