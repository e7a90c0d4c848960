#!/usr/bin/env python3
"""Spoil labels as hurried annotators do, for experiments with noise in the labels.

    scripts/noisy_labels.py scenes/gt noisy/gt

Every PNG of trainIds below the first folder whose path has a folder ``train`` is written spoilt to the same
place below the second; the others are copied. A connected region of one class is taken for an object if it
covers less than a fiftieth of the image. Some objects are forgotten: their pixels get the class of the
nearest pixel around them. Others get the name of a class that resembles theirs. All outlines become polygons.
The same seed gives the same labels, whatever the order of the files.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import Final
from zlib import crc32

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from distill.scenes import labels as of
from distill.scenes.dataset import write_png
from kd_seg_ros.common.option_types import not_negative, share

Labels = NDArray[np.uint8]
RESEMBLING: Final = (
    (of.CAR, of.TRUCK),
    (of.TRUCK, of.BUS),
    (of.BUS, of.TRAIN),
    (of.PERSON, of.RIDER),
    (of.MOTORCYCLE, of.BICYCLE),
    (of.WALL, of.FENCE),
    (of.TRAFFIC_LIGHT, of.TRAFFIC_SIGN),
    (of.VEGETATION, of.TERRAIN),
)
"""Classes that are taken for each other."""
LARGEST: Final = 0.02
"""Share of the image that an object covers at most."""


def main(argv: list[str] | None = None) -> int:
    """Write the spoilt labels; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("source", type=Path, help="folder of label files")
    parser.add_argument("out", type=Path, help="folder to write, which must not exist")
    parser.add_argument("--forgotten", type=share, default=0.3, help="share of objects (default: 0.3)")
    parser.add_argument("--confused", type=share, default=0.2, help="share of objects (default: 0.2)")
    parser.add_argument(
        "--outline", type=not_negative, default=2.0, help="most that polygons are off, pixels (default: 2)"
    )
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    files = sorted(args.source.rglob("*.png"))
    if not files or args.out.exists():
        reason = f"{args.out} exists" if files else f"{args.source} holds no PNG files"
        print(f"error: {reason}", file=sys.stderr)
        return 2
    changed, pixels = 0, 0
    for path in tqdm(files, "labels", unit="file"):
        place = path.relative_to(args.source)
        (args.out / place).parent.mkdir(parents=True, exist_ok=True)
        if "train" not in place.parts[:-1]:
            shutil.copyfile(path, args.out / place)
            continue
        labels = np.asarray(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), np.uint8)
        rng = np.random.default_rng([args.seed, crc32(place.as_posix().encode())])
        spoilt = with_polygons(spoil_objects(labels, args.forgotten, args.confused, rng), args.outline)
        write_png(args.out / place, spoilt)
        changed += int((spoilt != labels).sum())
        pixels += labels.size
    print(f"{changed / max(1, pixels):.1%} of the training pixels have another label")
    return 0


def spoil_objects(labels: Labels, forgotten: float, confused: float, rng: np.random.Generator) -> Labels:
    """Forget some objects and misname others.

    :param labels: trainIds [H, W].
    :param forgotten: probability that an object is forgotten.
    :param confused: probability that one that is not gets another class, where some class resembles its own.
    """
    result = labels.copy()
    hole = np.zeros(labels.shape, bool)
    for train_id in np.unique(labels):
        count, regions, statistics, _ = cv2.connectedComponentsWithStats(
            (labels == train_id).astype(np.uint8)
        )
        others = resembling(int(train_id))
        for number in range(1, count):
            # As many numbers for each region, whatever becomes of it.
            first, second, choice = rng.random(3)
            if statistics[number, cv2.CC_STAT_AREA] > LARGEST * labels.size:
                continue
            if first < forgotten:
                hole |= regions == number
            elif second < confused and others:
                result[regions == number] = others[int(choice * len(others))]
    return filled(result, hole)


def resembling(train_id: int) -> list[int]:
    """Return the classes that a class is taken for."""
    others = []
    for first, second in RESEMBLING:
        if train_id == first:
            others.append(second)
        elif train_id == second:
            others.append(first)
    return others


def filled(labels: Labels, hole: NDArray[np.bool_]) -> Labels:
    """Give the pixels of a hole the class of the nearest one outside; an image that is all hole stays."""
    if not hole.any() or hole.all():
        return labels
    # Every pixel outside the hole is a place of its own, and the nearest one's number is told.
    _, nearest = cv2.distanceTransformWithLabels(
        hole.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE, labelType=cv2.DIST_LABEL_PIXEL
    )
    class_of = np.zeros(int(nearest.max()) + 1, np.uint8)
    class_of[nearest[~hole]] = labels[~hole]
    return np.where(hole, class_of[nearest], labels)


def with_polygons(labels: Labels, off: float) -> Labels:
    """Draw the outlines of all regions as polygons that are off by some pixels at most, the largest first."""
    if off == 0:
        return labels
    outlines = []
    for train_id in np.unique(labels):
        mask = (labels == train_id).astype(np.uint8)
        for contour in cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]:
            outlines.append((cv2.contourArea(contour), int(train_id), cv2.approxPolyDP(contour, off, True)))
    result = labels.copy()
    for _, train_id, outline in sorted(outlines, key=lambda item: (-item[0], item[1])):
        cv2.fillPoly(result, [outline], train_id)
    return result


if __name__ == "__main__":
    sys.exit(main())
