"""What share of an image's pixels is probably right, without labels, and where that cannot be said.

The model card says for each of B confidence bins how often pixels of that confidence were right on labelled
images (the reliability table, accuracy a_b). With n_b the pixels of an image in bin b::

    raw estimate r = Σ_b n_b · a_b / Σ_b n_b

That is right on images like those of calibration. On others a network is wrong and sure of it, so a file with
a domain distance d (:mod:`kd_seg_ros.inference.domain`) can hold a correction, learnt on labelled images as
they are and spoilt on purpose (:mod:`distill.calibration.accuracy_fit`)::

    corrected estimate = min(1, r · f(d))

f never rises: of two images with the same confidence the stranger one never gets the higher estimate. It is
given at a few distances; between them it is linear in ln d, before the first and after the last it is
constant. Beyond the largest distance at which the correction was found good enough, nothing is said: the
estimate is ``unknown``. No ROS in here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.inference.card import FULL, ModelCard

RAW: Final = "raw"
"""Kind of an estimate from the confidence alone."""
CORRECTED: Final = "corrected"
"""Kind of an estimate from confidence and domain distance."""
UNKNOWN: Final = "unknown"
"""Kind of an estimate that is withheld: the image is too far from those of calibration."""

STRIDE: Final = 4
"""Every fourth row and column is counted: neighbouring pixels agree, and a sixteenth of them is enough."""
LEVELS: Final = 256
"""Values that a byte of a confidence map can have."""
BINS: Final = 15
"""Bins of confidence where the card has no reliability table."""


@dataclass(frozen=True)
class AccuracyEstimate:
    """What share of an image's pixels is probably right, and how that was found."""

    value: float | None
    """0…1; None if it is unknown."""
    kind: str
    """:data:`RAW`, :data:`CORRECTED` or :data:`UNKNOWN`."""


class AccuracyEstimator:
    """Estimates for one model how many pixels of an image are right: by its card, without labels."""

    def __init__(
        self,
        reliability: Mapping[str, Sequence[float | None]] | None,
        correction: Mapping[str, Any],
    ) -> None:
        """Prepare the estimate.

        :param reliability: the card's reliability table over all conditions; None: a confidence is taken for
            the accuracy.
        :param correction: the card's ``accuracy_correction``; empty: estimates are raw.
        """
        middles = (np.arange(BINS) + 0.5) / BINS
        self._accuracy = middles if reliability is None else bin_accuracy(reliability)
        self._correction = correction

    @classmethod
    def of_card(cls, card: ModelCard) -> AccuracyEstimator | None:
        """Return the estimator of a model; None if its card has neither a table nor a correction."""
        table = card.reliability.get(FULL)
        if table is None and not card.accuracy_correction:
            return None
        return cls(table, card.accuracy_correction)

    @property
    def kind(self) -> str:
        """:data:`CORRECTED` if the card has a correction, else :data:`RAW`."""
        return CORRECTED if self._correction else RAW

    def estimate(self, confidence: NDArray[np.uint8], distance: float | None) -> AccuracyEstimate:
        """Estimate the accuracy of an image.

        :param confidence: its confidence map, round(255 · p), [H, W].
        :param distance: its domain distance, 0…∞; None if the file does not tell it.
        """
        raw = self.raw(confidence)
        if not self._correction:
            return AccuracyEstimate(raw, RAW)
        return correct(raw, distance, self._correction)

    def raw(self, confidence: NDArray[np.uint8]) -> float:
        """Return the estimate from the confidence alone, 0…1.

        :param confidence: the confidence map of an image, round(255 · p), [H, W].
        """
        return float(expected_accuracy(bin_counts(confidence, len(self._accuracy)), self._accuracy))


def correct(raw: float, distance: float | None, correction: Mapping[str, Any]) -> AccuracyEstimate:
    """Correct a raw estimate by the image's domain distance, or withhold it.

    :param raw: estimate from the confidence, 0…1.
    :param distance: domain distance of the image, 0…∞; None, and what is no number, count as infinite.
    :param correction: a card's ``accuracy_correction``.
    """
    if distance is None or not distance <= correction["largest_distance"]:
        return AccuracyEstimate(None, UNKNOWN)
    factor = float(factors(np.array([distance]), correction["distances"], correction["factors"])[0])
    return AccuracyEstimate(min(1.0, raw * factor), CORRECTED)


def factors(
    distance: NDArray[np.floating], distances: Sequence[float], values: Sequence[float]
) -> NDArray[np.float64]:
    """Return what raw estimates are multiplied by: f(d) of n images, [n].

    :param distance: domain distances of the images, 0…∞, [n].
    :param distances: where f is given, above 0 and rising, [k]; ``values``: f there, [k].
    """
    kept = np.maximum(distance, distances[0])
    return np.interp(np.log(kept), np.log(distances), values)


def bin_accuracy(reliability: Mapping[str, Sequence[float | None]]) -> NDArray[np.float64]:
    """Return how often pixels of each confidence bin were right in calibration: a_b, 0…1, float64 [B].

    A bin that was empty in calibration gets the middle of its range of confidence.
    """
    accuracy = reliability["accuracy"]
    middles = (np.arange(len(accuracy)) + 0.5) / len(accuracy)
    pairs = zip(accuracy, middles, strict=True)
    return np.array([middle if measured is None else measured for measured, middle in pairs])


def expected_accuracy(counts: NDArray[np.number], accuracy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the raw estimate, 0…1; NaN without pixels.

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
