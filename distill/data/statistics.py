"""Exact mean, standard deviation and class distribution of a data set.

Per channel, of N pixels with values x = 0…255, from the counts n_x of each value (all integers)::

    mean = Σ x·n_x / (255·N)        std = √(N·Σ x²·n_x − (Σ x·n_x)²) / (255·N)

over all pixels of all images together, not averaged over images. The share of a class is its part of the
labelled pixels, so that the shares of all classes add up to 1. The share of ignored pixels is their part of
all pixels in label files.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from distill.common.parallel import run_jobs
from distill.datasets.frame import Frame, Rgb, read_sample
from kd_seg_ros.common.classes import IGNORE_ID
from kd_seg_ros.common.errors import UserError

_EXACT = 1 << 23
"""Pixels that are counted at once: OpenCV counts in FP32, which is exact to 2²⁴."""


@dataclass(frozen=True)
class Histograms:
    """How often each value occurs in the pixels of one image, or of many."""

    rgb: npt.NDArray[np.int64]
    """Count of each value 0…255 in R, G and B, [3, 256]."""
    labels: npt.NDArray[np.int64]
    """Count of each trainId, [256]; all 0 without labels."""

    def __add__(self, other: Histograms) -> Histograms:
        return Histograms(self.rgb + other.rgb, self.labels + other.labels)


@dataclass(frozen=True)
class Statistics:
    """Mean, standard deviation and class distribution of a data set."""

    images: int
    """Number of images."""
    pixels: int
    """Number of pixels of all images."""
    mean: Rgb
    """Mean of R, G and B over all pixels, 0…1."""
    std: Rgb
    """Standard deviation of R, G and B over all pixels, 0…1."""
    class_names: tuple[str, ...]
    """Names of the classes, in the order of their trainIds."""
    class_pixels: tuple[int, ...]
    """Number of pixels labelled as each class."""
    ignored_pixels: int
    """Number of pixels in label files that belong to no class."""

    @property
    def labelled_pixels(self) -> int:
        """Number of pixels labelled as one of the classes."""
        return sum(self.class_pixels)

    @property
    def shares(self) -> tuple[float, ...]:
        """Part of the labelled pixels that belongs to each class, 0…1; all 0 if there are none."""
        return tuple(count / max(self.labelled_pixels, 1) for count in self.class_pixels)

    @property
    def ignored_share(self) -> float | None:
        """Part of the pixels in label files that belongs to no class, 0…1; None without label files."""
        pixels = self.labelled_pixels + self.ignored_pixels
        return self.ignored_pixels / pixels if pixels else None

    def document(self, data: str) -> dict[str, Any]:
        """Return the numbers as plain values for JSON; ``data`` names the data set."""
        classes = {}
        for name, pixels, share in zip(self.class_names, self.class_pixels, self.shares, strict=True):
            classes[name] = {"pixels": pixels, "share": share}
        return {
            "data": data,
            "images": self.images,
            "pixels": self.pixels,
            "mean": list(self.mean),
            "std": list(self.std),
            "classes": classes,
            "ignored": {"pixels": self.ignored_pixels, "share": self.ignored_share},
        }


def measure(frames: Sequence[Frame], class_names: tuple[str, ...], workers: int = 1) -> Statistics:
    """Read all frames and compute their statistics.

    :param workers: number of processes that read the files.
    :raises UserError: naming the file that cannot be read or whose labels are wrong.
    """
    total = Histograms(np.zeros((3, 256), np.int64), np.zeros(256, np.int64))
    for image in run_jobs(count, frames, workers, "stats"):
        total += image
    pixels = int(total.rgb[0].sum())
    if pixels == 0:
        raise UserError("the data set has no images to compute statistics of")
    red, green, blue = map(_moments, total.rgb.tolist())
    mean, std = (red[0], green[0], blue[0]), (red[1], green[1], blue[1])
    classes = total.labels[: len(class_names)].tolist()
    ignored = int(total.labels[IGNORE_ID])
    return Statistics(len(frames), pixels, mean, std, class_names, tuple(classes), ignored)


def count(frame: Frame) -> Histograms:
    """Count the colour values and trainIds of one image and its labels."""
    sample = read_sample(frame)
    rgb = np.stack([_histogram(sample.image[..., channel]) for channel in range(3)])
    labels = np.zeros(256, np.int64) if sample.labels is None else _histogram(sample.labels)
    return Histograms(rgb, labels)


def _histogram(values: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Count each value 0…255 of [H, W], in portions small enough for OpenCV to be exact; returns [256]."""
    total = np.zeros(256, np.int64)
    for portion in np.array_split(values.reshape(-1, 1), -(-values.size // _EXACT)):
        total += cv2.calcHist([portion], [0], None, [256], [0, 256]).ravel().astype(np.int64)
    return total


def _moments(counts: list[int]) -> tuple[float, float]:
    """Return mean and standard deviation, 0…1, from counts [256]; Python's integers are exact at any size."""
    pixels = sum(counts)
    first = sum(value * n for value, n in enumerate(counts))
    second = sum(value * value * n for value, n in enumerate(counts))
    return first / (255 * pixels), math.sqrt(pixels * second - first * first) / (255 * pixels)
