"""Border weights against a plain loop of OpenCV distance transforms, one over the whole image per class.

python scripts/border_weights_speed.py [--size 864] [--acdc ../shared/data/acdc_mini] [--budget 10]

Prints a Markdown table of milliseconds per label map, medians of interleaved runs on one OpenCV thread, as in
a DataLoader's worker. The weights of both are compared first, on every map.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import mean

import cv2
import numpy as np
import numpy.typing as npt

from distill.benchmarks.timing import machine, median_seconds
from distill.data.border_weights import BANDS, border_weights
from distill.scenes.render import render_scene
from kd_seg_ros.common.classes import IGNORE_ID, NUM_CLASSES

ROOT = Path(__file__).parent.parent
MAPS = 4
"""Maps of each kind; the ACDC frames are taken as they are."""

Labels = npt.NDArray[np.uint8]


def main() -> None:
    """Measure every kind of map and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--size", type=int, default=864, help="height and width of the maps")
    parser.add_argument("--acdc", type=Path, default=ROOT.parent / "shared/data/acdc_mini")
    parser.add_argument("--budget", type=float, default=10, help="seconds per kind of map")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    print("| label maps | classes | plain loop, ms | ours, ms | ratio |\n|---|---|---|---|---|")
    for kind, maps in label_maps(options.size, options.acdc).items():
        for labels in maps:
            np.testing.assert_array_equal(border_weights(labels), plain_loop(labels))
        plain_s, ours_s = median_seconds(
            [partial(run_all, plain_loop, maps), partial(run_all, border_weights, maps)], options.budget
        )
        plain = 1e3 * plain_s / len(maps)
        ours = 1e3 * ours_s / len(maps)
        classes = mean(len(np.setdiff1d(labels, IGNORE_ID)) for labels in maps)
        print(f"| {kind} | {classes:.1f} | {plain:.1f} | {ours:.2f} | {plain / ours:.1f} |", flush=True)
    print(f"\n{options.size}² pixels; {machine()}, OpenCV {cv2.__version__} on one thread")


def run_all(weigh: Callable[[Labels], object], maps: list[Labels]) -> None:
    """Compute the border weights of all maps of a kind once."""
    for labels in maps:
        weigh(labels)


def plain_loop(labels: Labels) -> npt.NDArray[np.float32]:
    """Compute border weights [H, W] the plain way, with one distance transform of the image per class."""
    distance = np.zeros(labels.shape, np.float32)
    for class_id in np.flatnonzero(np.bincount(labels.ravel(), minlength=256)):
        if class_id != IGNORE_ID:
            mask = (labels == class_id).view(np.uint8)
            inside = cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
            np.maximum(distance, inside, out=distance)
    weights = np.ones(labels.shape, np.float32)
    for limit, weight in BANDS:
        weights[distance < limit] = weight
    weights[labels == IGNORE_ID] = 0
    return weights


def label_maps(size: int, acdc: Path) -> dict[str, list[Labels]]:
    """Maps of every kind, always the same ones."""
    random = [np.random.default_rng(seed) for seed in range(MAPS)]
    kinds = {
        "road scenes, generated": [
            centre(render_scene(seed, (1080, 1920), "fog").labels, size) for seed in range(MAPS)
        ],
        "road scenes, ACDC": [
            centre(np.asarray(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), np.uint8), size)
            for path in sorted(acdc.glob("gt/*/*/*/*_labelTrainIds.png"))
        ],
        "19 classes, Voronoi cells": [cells(rng, size) for rng in random],
        "19 classes, 300 large rectangles": [rectangles(rng, size, 300, size // 4) for rng in random],
        "19 classes, 5000 small rectangles": [rectangles(rng, size, 5000, size // 30) for rng in random],
        "19 classes, noise": [rng.integers(0, NUM_CLASSES, (size, size), np.uint8) for rng in random],
        "one class": [np.zeros((size, size), np.uint8)],
    }
    return {kind: maps for kind, maps in kinds.items() if maps}


def centre(labels: Labels, size: int) -> Labels:
    """The middle square, at the size."""
    height, width = labels.shape
    left = (width - height) // 2
    square = labels[:, left : left + height]
    return np.asarray(cv2.resize(square, (size, size), interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)


def rectangles(rng: np.random.Generator, size: int, pieces: int, side: int) -> Labels:
    """Rectangles of random classes, some ignored, all over the map."""
    labels = np.zeros((size, size), np.uint8)
    for class_id in rng.choice([*range(NUM_CLASSES), IGNORE_ID], pieces):
        (y, x), (h, w) = rng.integers(0, size, 2), rng.integers(1, side, 2)
        labels[y : y + h, x : x + w] = class_id
    return labels


def cells(rng: np.random.Generator, size: int) -> Labels:
    """Voronoi cells of 60 points: every class in about three large pieces."""
    grid = np.ones((size, size), np.uint8)
    grid.flat[rng.choice(size * size, 60, replace=False)] = 0
    _, nearest = cv2.distanceTransformWithLabels(grid, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    return (np.asarray(nearest) % NUM_CLASSES).astype(np.uint8)


if __name__ == "__main__":
    main()
