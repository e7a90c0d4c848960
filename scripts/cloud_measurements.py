"""Measure what docs/nav2.md says of clouds and the ground: python scripts/cloud_measurements.py.

First the processor time of a cloud and of a grid, per size of the mask. Then how far from its true place the
ground is drawn, on a generated drive whose camera nods, rolls and bobs while the node takes height and pitch
as fixed: for each pixel of road, sidewalk or terrain, the distance between its place by the flat ground
and its place by the generator's depth.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from distill.scenes.drive import RATE, Drive
from distill.scenes.layout import CAMERA_SPEED
from distill.scenes.render import VIEW
from distill.scenes.street import build
from kd_seg_ros.clouds.ground_plane import CameraPose, Grid, GroundProjection, occupancy
from kd_seg_ros.clouds.labelled_cloud import POINT, DepthProjection, write_points
from kd_seg_ros.clouds.pinhole import Pinhole

SIZES = ((1080, 1920), (540, 960), (270, 480))
GROUND_CLASSES = (0, 1, 9)
"""Road, sidewalk, terrain."""
BINS = (0, 5, 10, 15, 20, 30)
"""Distances between which errors are put together, metres."""
FRAMES, DRIVE_SIZE, SEED = 40, (270, 480), 11


def main() -> None:
    """Print two tables."""
    print("| mask | cloud, ms | grid of 200×200 cells, ms |\n|---|---:|---:|")
    for size in SIZES:
        print(f"| {size[1]}×{size[0]} | {cloud_ms(size):.1f} | {grid_ms(size):.2f} |")
    print("\n| distance, m | pixels | error: median, m | 95 of 100, m |\n|---|---:|---:|---:|")
    distance, error = drive_errors()
    for near, far in pairwise(BINS):
        here = error[(distance >= near) & (distance < far)]
        if len(here):
            print(f"| {near}–{far} | {len(here)} | {np.median(here):.2f} | {np.percentile(here, 95):.2f} |")


def camera_of(size: tuple[int, int]) -> Pinhole:
    """Return a camera like the generator's for images of ``size``."""
    return Pinhole(0.72 * size[1], 0.72 * size[1], (size[1] - 1) / 2, (size[0] - 1) / 2, size)


def milliseconds(work: Callable[[], object]) -> float:
    """Return the median processor time of a call."""
    times = []
    for _ in range(15):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return float(np.median(times)) * 1e3


def cloud_ms(size: tuple[int, int]) -> float:
    """Return the time from a depth image and two maps to the bytes of a cloud."""
    rng = np.random.default_rng(0)
    depth = rng.uniform(1, 40, size).astype(np.float32)
    mask, confidence = rng.integers(0, 19, (2, *size), np.uint8)
    projection = DepthProjection(camera_of(size), size, size)
    points = np.zeros(size, POINT)
    return milliseconds(lambda: write_points(points, projection.points(depth), mask, confidence))


def grid_ms(size: tuple[int, int]) -> float:
    """Return the time from two maps to a grid."""
    mask, confidence = np.random.default_rng(0).integers(0, 19, (2, *size), np.uint8)
    grid = Grid(0.0, 20.0, 20.0, 0.1)
    projection = GroundProjection(camera_of(size), CameraPose(1.5), grid, size, 0.5)
    drivable = np.zeros(256, np.bool_)
    return milliseconds(
        lambda: occupancy(projection.look_up(mask, 255), projection.look_up(confidence, 0), drivable, 255)
    )


def drive_errors() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the true distance of each pixel of ground and the error of its place, metres."""
    drive = Drive(SEED, DRIVE_SIZE, FRAMES, ("clear",))
    street = build(SEED, FRAMES / RATE * CAMERA_SPEED + VIEW)  # the drive's own
    distances, errors = [], []
    for index in range(0, FRAMES, 4):
        frame = drive.render(index)
        camera = drive.camera(street, index / RATE)
        on_ground = np.isin(frame.labels, GROUND_CLASSES) & np.isfinite(frame.depth)
        # Right, up and forward of each pixel's point, in axes that turn with the camera's heading only.
        points = (frame.depth[..., None] * camera.rays)[on_ground].astype(np.float64)
        sin, cos = np.sin(camera.yaw), np.cos(camera.yaw)
        right, forward = points[:, 0] * cos - points[:, 2] * sin, points[:, 0] * sin + points[:, 2] * cos
        # Where a level camera at 1.5 m would see the ground in that pixel.
        v, u = np.nonzero(on_ground)
        cx, cy = camera.centre
        down = (v - cy) / camera.focal
        below = down > 1e-3
        ahead = 1.5 / np.where(below, down, 1.0)
        flat_right = ahead * (u - cx) / camera.focal
        error = np.hypot(flat_right - right, ahead - forward)
        distances.append(np.hypot(right, forward)[below])
        errors.append(error[below])
    return np.concatenate(distances), np.concatenate(errors)


if __name__ == "__main__":
    main()
