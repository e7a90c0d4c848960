#!/usr/bin/env python3
"""Measure how far the expected accuracy is from the true one, raw and corrected by the domain distance.

    kd_seg scenes --out scenes --train 4 --val 240 --size 288x512 --seed 77
    scripts/expected_accuracy.py --scenes scenes --camvid DIR --acdc DIR

Distance and correction are fitted on half of the scenes, as `kd_seg calibrate --domain` does, and judged on
the other half: as they are, and spoilt entirely; also by a fit that has not seen this way of spoiling.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from domain_distance import KNOWN, judged_images
from numpy.typing import NDArray
from tqdm import tqdm

from distill.calibration.accuracy_fit import MeasuredImages, fit, fit_correction, measure_images
from distill.calibration.domain_fit import measure_distance
from distill.calibration.halves import split
from distill.datasets.registry import open_data
from distill.export.domain_file import StatisticsOfMaps
from kd_seg_ros.common.classes import IGNORE_ID
from kd_seg_ros.common.share import share_path
from kd_seg_ros.inference.accuracy import AccuracyEstimator
from kd_seg_ros.inference.card import FULL
from kd_seg_ros.inference.engine import Engine


def main() -> None:
    """Fit, judge and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, default=share_path("resource/demo_student.onnx"))
    parser.add_argument("--scenes", type=Path, required=True, help="folder of `kd_seg scenes`")
    parser.add_argument("--camvid", type=Path, help="folder with val/images and val/labels")
    parser.add_argument("--acdc", type=Path, help="real frames in ACDC's layout")
    parser.add_argument("--every", type=int, default=3, help="spoil every so many of the judged scenes")
    args = parser.parse_args()
    engine, statistics = Engine(args.model, "cpu"), StatisticsOfMaps(args.model)
    estimator = AccuracyEstimator(engine.card.reliability.get(FULL), {})
    fitted, others = split(open_data("acdc", root=args.scenes, split="val").frames)

    # 1. Fit as the command does.
    distance = measure_distance(statistics.measure, fitted, progress=True)
    measured = measure_images(engine.segment, statistics.measure, fitted, distance, estimator, progress=True)
    print(fit_correction(measured).describe())

    # 2. Measure the images to judge on.
    groups, conditions, rows = [], [], []
    for group, condition, image, labels, classes in tqdm(judged_images(args, others), "judge", unit="image"):
        found = engine.segment(image)
        mask = found.mask if classes is None else classes[found.mask]
        own = distance.reference.distance(statistics.measure(image)[None])[0]
        rows.append((estimator.raw(found.confidence), own, (mask == labels)[labels != IGNORE_ID].mean()))
        groups.append(group)
        conditions.append(condition)
    raw, distances, accuracy = np.array(rows).T
    images = MeasuredImages(raw, distances, accuracy, np.array(groups), np.zeros(len(rows), np.int64))

    # 3. Print what is judged by group, then the real frames one by one.
    print_table(images, measured)
    estimate = fit(measured).estimate(images)
    for number in np.flatnonzero(images.way == "ACDC"):
        print(
            f"ACDC, {conditions[number]}: distance {distances[number]:.2f}, true {accuracy[number]:.1%}, "
            f"raw {raw[number]:.1%}, corrected {estimate[number]:.1%}"
        )


def print_table(images: MeasuredImages, measured: MeasuredImages) -> None:
    """Print errors and biases by group of images.

    :param images: those to judge on; their ``way`` is the group.
    :param measured: those to fit to.
    """
    print(
        "| images | distance | true | raw: error | bias | unknown | else raw: error | corrected: error ",
        end="",
    )
    print("| bias | not seen in fitting: error | unknown |")
    print("|---|" + "---:|" * 10)
    for group in dict.fromkeys(images.way.tolist()):
        own = images.chosen(images.way == group)
        estimate = fit(measured).estimate(own)
        raw, found = errors(own.raw, own.accuracy), errors(estimate, own.accuracy)
        raw_there = errors(np.where(np.isnan(estimate), np.nan, own.raw), own.accuracy)
        cells = [f"{np.median(own.distance):.2f}", f"{own.accuracy.mean():.1%}", raw[0], raw[1]]
        cells += [found[2], raw_there[0], found[0], found[1]]
        left_out = measured.way == group
        unseen = ["", ""]
        if left_out.any():
            other = errors(fit(measured.chosen(~left_out)).estimate(own), own.accuracy)
            unseen = [other[0], other[2]]
        title = "scenes as they are" if group == KNOWN else group
        print(f"| {title} | " + " | ".join(cells + unseen) + " |")


def errors(estimate: NDArray[np.float64], truth: NDArray[np.float64]) -> list[str]:
    """Return mean absolute error and bias where there is an estimate, and the share without one, in %."""
    known = np.isfinite(estimate)
    withheld = f"{1 - known.mean():.0%}"
    if not known.any():
        return ["", "", withheld]
    difference = (estimate - truth)[known]
    return [f"{np.abs(difference).mean():.1%}", f"{difference.mean():+.1%}", withheld]


if __name__ == "__main__":
    main()
