"""Fitting the domain distance, and its quantiles on images that it was not fitted on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from distill.datasets.frame import Frame, read_sample
from distill.metrics.domain_reference import FEWEST, DomainReference, fit_reference, too_few
from kd_seg_ros.inference.card_values import QUANTILES

_logger = logging.getLogger(__name__)

FOLDS: Final = 5
"""The distance of an image is measured by what was fitted on the other four fifths."""
ENOUGH: Final = 100
"""With fewer images the 99th percentile is little more than the largest distance."""


@dataclass(frozen=True)
class DomainDistance:
    """A distance that has been fitted."""

    reference: DomainReference
    """Fitted on all images."""
    held_out: NDArray[np.float64]
    """Distance of each image by what was fitted on others, [n]."""
    fold: NDArray[np.int64]
    """Part of the images that each belongs to, 0 … FOLDS − 1, [n]."""
    others: Sequence[DomainReference]
    """Fitted on the images outside of each part, [FOLDS]."""

    def of_others(self, statistics: NDArray[np.floating], number: int) -> NDArray[np.float64]:
        """Return distances by what was fitted without an image and those like it, [n].

        :param statistics: of n versions of that image, [n, d].
        :param number: which of the images it is.
        """
        return self.others[self.fold[number]].distance(statistics)

    def of_card(self, source: str) -> dict[str, Any]:
        """Return the model card's entry ``domain``.

        :param source: which images, in words.
        """
        shares = [float(percent) / 100 for percent in QUANTILES]
        found = np.quantile(self.held_out, shares).tolist()
        return {
            "quantiles": dict(zip(QUANTILES, found, strict=True)),
            "images": len(self.held_out),
            "method": "Mahalanobis distance of mean and deviation of early feature maps' channels",
            "source": source,
        }


def measure_distance(
    measure: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
    frames: Sequence[Frame],
    progress: bool = False,
) -> DomainDistance:
    """Measure images, and fit the distance to them; they need no labels.

    :param measure: gives the statistics, [d], of an RGB image.
    :param progress: show a progress bar on standard error.
    :raises ValueError: as :func:`fit_distance` does.
    """
    if len(frames) < FEWEST:  # before minutes are spent on them
        raise ValueError(too_few(len(frames)))
    shown = tqdm(frames, "domain", unit="image", disable=not progress)
    if len(frames) < ENOUGH:
        _logger.warning(
            "the 99th percentile of %d images is little more than their largest domain distance: %d or more "
            "tell it better",
            len(frames),
            ENOUGH,
        )
    statistics = np.stack([measure(read_sample(frame).image) for frame in shown])
    return fit_distance(statistics, [str(frame.image.parent) for frame in frames])


def fit_distance(statistics: NDArray[np.floating], drives: Sequence[str]) -> DomainDistance:
    """Fit the distance to some images.

    Frames of a drive resemble each other: a drive is in one fold as a whole, if there are enough drives.

    :param statistics: of n images, [n, d].
    :param drives: where each image comes from, [n].
    :raises ValueError: as :func:`~distill.metrics.domain_reference.fit_reference` does.
    """
    reference = fit_reference(statistics)
    fold = _folds(drives)
    others = [fit_reference(statistics[fold != number], fewest=2) for number in range(FOLDS)]
    held_out = np.empty(len(statistics))
    for number in range(FOLDS):
        held_out[fold == number] = others[number].distance(statistics[fold == number])
    return DomainDistance(reference, held_out, fold, others)


def _folds(drives: Sequence[str]) -> NDArray[np.int64]:
    """Number each image's fold, 0 … FOLDS − 1, [n].

    Of few drives each is cut into as many stretches of frames that follow each other: neighbours in a video
    resemble each other, and one would be measured by the other.
    """
    names, drive = np.unique(np.asarray(drives), return_inverse=True)
    if len(names) >= 2 * FOLDS:
        return np.asarray(drive, np.int64) % FOLDS
    fold = np.empty(len(drives), np.int64)
    for number in range(len(names)):
        members = np.flatnonzero(drive == number)
        fold[members] = np.arange(len(members)) * FOLDS // len(members)
    return fold
