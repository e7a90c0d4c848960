#!/usr/bin/env python3
"""Measure whether a calibration per weather lowers the ECE against one over all weathers.

    kd_seg scenes --out scenes --train 4 --val 240 --size 288x512 --seed 77
    scripts/weather_calibration.py --scenes scenes

Calibrations are fitted on half of the images, over all of them and per weather, and compared on the other
half, then with the halves exchanged. The calibration of an image is chosen in three ways: the one over all
weathers; that of the image's true weather, which is the best that any choice by weather can do; that of the
weather whose feature statistics are nearest.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from distill.calibration.halves import split
from distill.calibration.methods import fit_all
from distill.calibration.passes import draw_pixels
from distill.common.calibration_methods import TEMPERATURE, VECTOR, Method
from distill.datasets.frame import Frame, read_sample
from distill.datasets.registry import open_data
from distill.export.domain_file import StatisticsOfMaps
from distill.export.file_model import FileModel, LogitsEngine
from distill.metrics.calibration import ConfidenceBins
from distill.metrics.domain_reference import fit_reference
from distill.models.logit_calibration import LogitCalibration
from kd_seg_ros.common.classes import CLASS_NAMES, IGNORE_ID
from kd_seg_ros.common.share import share_path

POOLED, KNOWN, MEANS, DISTANCE = "all weathers", "true weather", "nearest mean", "nearest by distance"
CHOICES = (POOLED, KNOWN, MEANS, DISTANCE)
"""How the calibration of an image is chosen."""
METHODS: tuple[Method, ...] = (TEMPERATURE, VECTOR)
FULL = "full"
Bins = dict[tuple[Method, str, str], ConfidenceBins]
"""Confidence bins by method, choice and condition."""


class NearestWeather:
    """Finds the weather whose images have the nearest statistics."""

    def __init__(self, statistics: NDArray[np.float64], weathers: NDArray[np.str_]) -> None:
        """Fit to n images.

        :param statistics: of the early feature maps, [n, d].
        :param weathers: of the images, [n].
        """
        self.names = sorted(set(weathers.tolist()))
        self._own = [fit_reference(statistics[weathers == name]) for name in self.names]
        self._means = np.array([reference.mean for reference in self._own])
        # The covariance within the weathers, from all images: four times as many as each weather has.
        centred = statistics - self._means[np.searchsorted(self.names, weathers)]
        self._within = fit_reference(centred)

    def by_means(self, image: NDArray[np.float64]) -> str:
        """Return the weather whose mean is nearest, by the covariance that all weathers share.

        :param image: statistics of one image, [d].
        """
        return self.names[int(np.argmin(self._within.distance(image - self._means)))]

    def by_distance(self, image: NDArray[np.float64]) -> str:
        """Return the weather with the least domain distance of its own.

        :param image: statistics of one image, [d].
        """
        return self.names[int(np.argmin([own.distance(image[None])[0] for own in self._own]))]


def main() -> None:
    """Measure in both directions and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, default=share_path("resource/demo_student.onnx"))
    parser.add_argument("--scenes", type=Path, required=True, help="folder of `kd_seg scenes`")
    parser.add_argument("--pixels", type=int, default=4000, help="labelled pixels drawn from each image")
    args = parser.parse_args()
    model, statistics = FileModel(LogitsEngine(args.model, "cpu")), StatisticsOfMaps(args.model)
    halves = split(open_data("acdc", root=args.scenes, split="val").frames)
    bins: Bins = defaultdict(ConfidenceBins)
    right: Counter[str] = Counter()
    for fitted, others in (halves, halves[::-1]):
        measure(model, statistics, fitted, others, args.pixels, bins, right)
    images = sum(map(len, halves))
    conditions = [FULL, *sorted({frame.condition for frame in halves[0]})]
    print("| method | calibration chosen by | " + " | ".join(conditions) + " |")
    print("|---|---|" + "---:|" * len(conditions))
    for method in METHODS:
        for choice in CHOICES:
            found = [f"{bins[method, choice, condition].ece():.2%}" for condition in conditions]
            print(f"| {method} | {choice} | " + " | ".join(found) + " |")
    for choice in (MEANS, DISTANCE):
        print(f"{choice}: the true weather in {right[choice]} of {images} images")


def measure(
    model: FileModel,
    statistics: StatisticsOfMaps,
    fitted: Sequence[Frame],
    others: Sequence[Frame],
    pixels: int,
    bins: Bins,
    right: Counter[str],
) -> None:
    """Fit on some frames, and add what the calibrations do on others.

    :param pixels: labelled pixels drawn from each image.
    :param right: counts how often the true weather was chosen.
    """
    weathers = np.array([frame.condition for frame in fitted])
    found = {POOLED: calibrations(model, fitted, pixels)}
    for weather in sorted(set(weathers.tolist())):
        of_weather = [frame for frame in fitted if frame.condition == weather]
        found[weather] = calibrations(model, of_weather, pixels)
    measured = np.array([statistics.measure(read_sample(frame).image) for frame in fitted], np.float64)
    nearest = NearestWeather(measured, weathers)

    for frame in tqdm(others, "compare", unit="image"):
        sample = read_sample(frame)
        assert sample.labels is not None
        own = np.asarray(statistics.measure(sample.image), np.float64)
        chosen = {POOLED: POOLED, KNOWN: frame.condition}
        chosen |= {MEANS: nearest.by_means(own), DISTANCE: nearest.by_distance(own)}
        for choice in (MEANS, DISTANCE):
            right[choice] += chosen[choice] == frame.condition
        with torch.inference_mode():
            logits = model.logits(torch.from_numpy(sample.image))[0]
            for method in METHODS:
                add(bins, method, chosen, found, logits, sample.labels, frame.condition)


def calibrations(model: FileModel, frames: Sequence[Frame], pixels: int) -> dict[Method, LogitCalibration]:
    """Fit all methods on some frames."""
    drawn = draw_pixels(model, frames, pixels * len(frames), len(CLASS_NAMES))
    return fit_all(drawn.logits, drawn.labels)


def add(
    bins: Bins,
    method: Method,
    chosen: dict[str, str],
    found: dict[str, dict[Method, LogitCalibration]],
    logits: torch.Tensor,
    labels: NDArray[np.uint8],
    condition: str,
) -> None:
    """Add one image's pixels to the bins of each choice; each calibration is applied once.

    :param chosen: name of the calibration by choice.
    :param logits: uncalibrated, [C, H, W].
    """
    labelled = labels != IGNORE_ID
    for name in set(chosen.values()):
        top, mask = found[name][method].apply(logits).softmax(0).max(0)
        confidence = top.numpy()[labelled]
        correct = (mask.numpy() == labels)[labelled]
        for choice in CHOICES:
            if chosen[choice] == name:
                for key in (FULL, condition):
                    bins[method, choice, key].update(confidence, correct)


if __name__ == "__main__":
    main()
