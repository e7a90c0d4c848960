"""Fitting how the expected accuracy is corrected by the domain distance, on images as they are and spoilt.

Images that are far from those of calibration are made of them: each is spoilt in some ways, slightly or
entirely (:mod:`distill.datasets.corruptions`). What the network gets right there is known, since the labels
stay. The formula is that of :mod:`kd_seg_ros.inference.accuracy`:

1. The images are sorted by distance and cut into groups. A group's factor is that of least squares,
   Σ r a / Σ r², with r the raw estimate and a the true accuracy; where factors rise with the distance, groups
   are pooled (isotonic regression).
2. The error |estimate − a| is made a function of the distance that never falls, again by isotonic regression.
   Where it comes above :data:`TOLERANCE`, estimates end.

Distances, and the errors that are reported, are those of images by what was fitted on others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from distill.calibration.domain_fit import DomainDistance
from distill.datasets.corruptions import CORRUPTIONS, corrupt
from distill.datasets.frame import Frame, read_sample
from kd_seg_ros.common.classes import IGNORE_ID
from kd_seg_ros.inference.accuracy import AccuracyEstimator, factors
from kd_seg_ros.inference.engine import Prediction

TOLERANCE: Final = 0.05
"""Estimates are given up to the distance at which they err by so much on average."""
WAYS: Final = tuple(name for name in CORRUPTIONS if name != "upside down")
"""How images are spoilt. A camera that is mounted upside down makes images at an ordinary distance, since
early feature maps look at texture: they would teach nothing but doubt of ordinary images."""
SPOILT: Final = 2
"""In so many of these ways each image is spoilt, in turn."""
SLIGHTEST: Final = 0.1
"""Least share of the spoilt image in its mixture with the image as it is; the largest is 1."""
AS_IT_IS: Final = ""
"""What an image that is not spoilt is called among the ways."""
GROUPS: Final = 10
"""Groups of images by distance, if there are enough for :data:`GROUP_SIZE` in each."""
GROUP_SIZE: Final = 10
"""Images that a group has at least."""

Image = NDArray[np.uint8]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class MeasuredImages:
    """What is known of n images, some of them spoilt."""

    raw: Floats
    """Expected accuracy by the confidence alone, 0…1, [n]."""
    distance: Floats
    """Domain distance, 0…∞, by what was fitted on others, [n]."""
    accuracy: Floats
    """Share of the labelled pixels that are right, 0…1, [n]."""
    way: NDArray[np.str_]
    """How the image was spoilt, one of :data:`WAYS` or :data:`AS_IT_IS`, [n]."""
    fold: NDArray[np.int64]
    """Part of the data that the image belongs to, as it does for the distance, [n]."""

    def chosen(self, which: NDArray[np.bool_]) -> MeasuredImages:
        """Return some of the images.

        :param which: [n].
        """
        parts = (self.raw, self.distance, self.accuracy)
        raw, distance, accuracy = [part[which] for part in parts]
        return MeasuredImages(raw, distance, accuracy, self.way[which], self.fold[which])


@dataclass(frozen=True)
class AccuracyCorrection:
    """A correction that has been fitted; see :mod:`kd_seg_ros.inference.accuracy` for the formula."""

    distances: list[float]
    """Where the factor is given, rising."""
    factors: list[float]
    """What raw estimates are multiplied by there, not rising."""
    largest_distance: float
    """Beyond it the estimate is unknown; 0 if it is good enough nowhere."""

    def estimate(self, images: MeasuredImages) -> Floats:
        """Return the corrected estimates, 0…1, [n]; NaN where they are unknown."""
        found = _corrected(images, self.distances, self.factors)
        return np.where(images.distance <= self.largest_distance, found, np.nan)


@dataclass(frozen=True)
class Errors:
    """How far estimates are from the truth, on images that they were not fitted to."""

    error: float
    """Mean absolute difference where there is an estimate, 0…1; NaN where there is none."""
    error_raw: float
    """The same of the raw estimates, of all images, 0…1."""
    withheld: float
    """Share of the images without an estimate, 0…1."""

    def describe(self) -> str:
        """Return the figures in words."""
        shown = f"{self.error:.1%}" if np.isfinite(self.error) else "–"
        return f"{shown} ({self.withheld:.0%} unknown), raw {self.error_raw:.1%}"


@dataclass(frozen=True)
class FittedCorrection:
    """A correction, and how well it does on images that it was not fitted to."""

    correction: AccuracyCorrection
    """Fitted to all images."""
    range: tuple[float, float]
    """Where the estimates of 98 % of the images as they are lie, 0…1; each by a fit to others."""
    held_out: Errors
    """Of all images, each by a fit to the other folds."""
    unseen: Errors
    """Of the spoilt images, each by a fit that has not seen this way of spoiling."""
    images: int
    """Number of images, spoilt ones included."""

    def of_card(self, source: str) -> dict[str, Any]:
        """Return the model card's entry ``accuracy_correction``.

        :param source: which images, in words.
        """
        found = self.correction
        return {
            "distances": found.distances,
            "factors": found.factors,
            "largest_distance": found.largest_distance,
            "range": list(self.range),
            "error": self.held_out.error,
            "error_raw": self.held_out.error_raw,
            "images": self.images,
            "source": source,
        }

    def describe(self) -> str:
        """Return in words how large its errors are and where it ends."""
        return (
            f"mean error on held-out images {self.held_out.describe()}; on images spoilt in a way that was "
            f"left out {self.unseen.describe()}; unknown beyond a distance of "
            f"{self.correction.largest_distance:.2f}"
        )


def measure_images(
    segment: Callable[[Image], Prediction],
    measure: Callable[[Image], NDArray[np.float32]],
    frames: Sequence[Frame],
    distance: DomainDistance,
    estimator: AccuracyEstimator,
    progress: bool = False,
) -> MeasuredImages:
    """Segment labelled images, as they are and spoilt; those without a labelled pixel are left out.

    :param segment: gives mask and confidence as on the vehicle, of an RGB image.
    :param measure: gives the statistics, [d], of an RGB image.
    :param frames: those that the distance was fitted to, in that order.
    :param estimator: gives the raw estimate.
    :param progress: show a progress bar on standard error.
    """
    rows, ways, folds = [], [], []
    for number, frame in enumerate(tqdm(frames, "accuracy", unit="image", disable=not progress)):
        for way, image, labels in _versions(frame, number):
            labelled = labels != IGNORE_ID
            if not labelled.any():
                continue
            own = distance.of_others(measure(image)[None], number)[0]
            if not np.isfinite(own):  # the vehicle calls such an image unknown
                continue
            found = segment(image)
            rows.append((estimator.raw(found.confidence), own, (found.mask == labels)[labelled].mean()))
            ways.append(way)
            folds.append(distance.fold[number])
    raw, distances, accuracy = np.array(rows, np.float64).reshape(-1, 3).T
    return MeasuredImages(raw, distances, accuracy, np.array(ways, str), np.array(folds, np.int64))


def _versions(frame: Frame, number: int) -> Iterator[tuple[str, Image, Image]]:
    """Yield the way of spoiling, image and labels: first as they are, then spoilt in some ways.

    :param number: of the frame; decides in which ways, and by which random numbers.
    """
    sample = read_sample(frame)
    assert sample.labels is not None
    yield AS_IT_IS, sample.image, sample.labels
    rng = np.random.default_rng(number)
    for place in range(SPOILT):
        way = WAYS[(number * SPOILT + place) % len(WAYS)]
        spoilt, labels = corrupt(way, sample.image, sample.labels, rng)
        share = rng.uniform(SLIGHTEST, 1)
        yield way, np.asarray(cv2.addWeighted(sample.image, 1 - share, spoilt, share, 0), np.uint8), labels


def fit_correction(images: MeasuredImages) -> FittedCorrection:
    """Fit the correction, and measure it on images that it was not fitted to.

    :raises ValueError: if too few images have labels, or estimates are good enough nowhere.
    """
    if len(np.unique(images.fold)) < 2:
        raise ValueError("too few of the images have labels")
    correction = fit(images)
    clean = images.way == AS_IT_IS
    held_out = _by_others(images, images.fold)
    seen = held_out[clean & np.isfinite(held_out)]
    if not correction.largest_distance or not len(seen):
        raise ValueError(f"it errs by more than {TOLERANCE:.0%} on the images as they are")
    low, high = np.quantile(seen, [0.01, 0.99]).tolist()
    # An image is judged by a fit to the images as they are and to those that are spoilt in other ways.
    _, number = np.unique(images.way, return_inverse=True)
    unseen = _by_others(images, np.where(clean, -1, number))
    return FittedCorrection(
        correction=correction,
        range=(low, high),
        held_out=_errors(held_out, images),
        unseen=_errors(unseen[~clean], images.chosen(~clean)),
        images=len(clean),
    )


def fit(images: MeasuredImages) -> AccuracyCorrection:
    """Fit factors and largest distance to some images."""
    order = np.argsort(images.distance, kind="stable")
    count = int(np.clip(len(order) // GROUP_SIZE, 1, GROUPS))
    places, ratios, weights = [], [], []
    for group in np.array_split(order, count):
        raw, accuracy = images.raw[group], images.accuracy[group]
        places.append(float(np.exp(np.log(np.maximum(images.distance[group], 1e-6)).mean())))
        weight = max(float((raw**2).sum()), 1e-9)
        ratios.append(float((raw * accuracy).sum()) / weight)
        weights.append(weight)
    values = -isotonic(-np.array(ratios), np.array(weights))

    # Groups of images at one distance are one place.
    distances, first = np.unique(places, return_index=True)
    found = [float(value) for value in values[first]]
    error = np.abs(_corrected(images, distances.tolist(), found) - images.accuracy)[order]
    rising = isotonic(error, np.ones(len(error)))
    good = images.distance[order][rising <= TOLERANCE]
    return AccuracyCorrection(distances.tolist(), found, float(good.max()) if len(good) else 0.0)


def isotonic(values: Floats, weights: Floats) -> Floats:
    """Return the values nearest to some that never fall, by weighted least squares, [n].

    Neighbours that fall are pooled into their mean until none does (pool adjacent violators).
    """
    pools: list[tuple[float, float, int]] = []
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        pools.append((value, weight, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            mean, mass, size = pools.pop()
            other, other_mass, other_size = pools.pop()
            total = mass + other_mass
            pools.append(((mean * mass + other * other_mass) / total, total, size + other_size))
    return np.repeat([mean for mean, _, _ in pools], [size for _, _, size in pools])


def _corrected(images: MeasuredImages, distances: Sequence[float], values: Sequence[float]) -> Floats:
    return np.minimum(1.0, images.raw * factors(images.distance, distances, values))


def _by_others(images: MeasuredImages, part: NDArray[np.int64]) -> Floats:
    """Estimate the images of each part, 0, 1 and so on, by a fit to all others; NaN where unknown, [n].

    :param part: of each image, [n]; those of part −1 are always fitted to and get no estimate.
    """
    found = np.full(len(part), np.nan)
    for number in np.unique(part[part >= 0]):
        own = part == number
        found[own] = fit(images.chosen(~own)).estimate(images.chosen(own))
    return found


def _errors(estimate: Floats, images: MeasuredImages) -> Errors:
    known = np.isfinite(estimate)
    error = np.abs(estimate - images.accuracy)[known]
    raw = np.abs(images.raw - images.accuracy)
    return Errors(
        error=float(error.mean()) if len(error) else float("nan"),
        error_raw=float(raw.mean()) if len(raw) else float("nan"),
        withheld=float(1 - known.mean()) if len(known) else 0.0,
    )
