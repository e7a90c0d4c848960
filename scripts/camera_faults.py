#!/usr/bin/env python3
"""Count images that the node would take for a fault of the camera, and measure what looking costs.

``python scripts/camera_faults.py --scenes 50 acdc/rgb_anon camvid`` draws 50 streets per weather and looks
through the images of the folders; docs/node.md has the table.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from distill.scenes.drive import Drive
from kd_seg_ros.common.conditions import CONDITIONS
from kd_seg_ros.inference.camera_faults import CameraFaultMonitor, picture_fault, sample

SIZE = (270, 480)
ROUNDS = 300


def main() -> None:
    """Print a line per source of images, then the cost."""
    parser = argparse.ArgumentParser(description="Count images that count as a fault of the camera.")
    parser.add_argument(
        "folders", nargs="*", type=Path, help="folders of images, searched with their subfolders"
    )
    parser.add_argument("--scenes", type=int, default=10, help="generated streets per weather")
    args = parser.parse_args()
    for condition in CONDITIONS:
        drives = [Drive(seed, SIZE, 1, (condition,)) for seed in range(args.scenes)]
        count(f"generated streets, {condition}", (drive.render(0).rgb for drive in drives))
    for folder in args.folders:
        files = sorted(file for file in folder.rglob("*") if file.suffix in (".png", ".jpg"))
        count(str(folder), (np.asarray(cv2.imread(str(file)), np.uint8) for file in files))
    print(f"{cost_ms():.2f} ms of processor time per image of 1920×1080 at 20 per second")


def count(name: str, images: Iterable[NDArray[np.uint8]]) -> None:
    """Print how many of some images count as which fault."""
    found = Counter(picture_fault(sample(image)) for image in images)
    total = found.total()
    faults = ", ".join(f"{number} {fault.name.lower()}" for fault, number in found.items() if fault)
    print(f"{name}: {total - found[None]} of {total} {faults}")


def cost_ms() -> float:
    """Return the mean processor time per image, ms; each image comes from memory, not from the cache."""
    cv2.setNumThreads(1)
    images = np.random.default_rng(0).integers(0, 256, (8, 1080, 1920, 3), np.uint8)
    seconds = iter(np.arange(1, ROUNDS + 1) / 20.0)
    monitor, spent = CameraFaultMonitor(lambda: float(next(seconds))), 0.0
    for number in range(ROUNDS):
        begin = time.process_time()
        monitor.add(images[number % len(images)], number)
        spent += time.process_time() - begin
    return 1e3 * spent / ROUNDS


if __name__ == "__main__":
    main()
