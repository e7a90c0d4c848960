"""Measure what docs/nav2.md says of clouds and the ground: python scripts/cloud_measurements.py.

First the processor time of a cloud and of a grid, per size of the mask, and of a new pose of the camera. Then
how far from its true place the ground is drawn, on a generated drive whose camera nods, rolls and bobs: once
with height and tilt taken as fixed, once with those of each frame, as TF gives them where something measures
them. For each pixel of road, sidewalk or terrain, it is the distance between its place by the flat ground and
its place by the generator's depth.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from distill.scenes.drive import RATE, Drive
from distill.scenes.layout import CAMERA_SPEED
from distill.scenes.render import VIEW
from distill.scenes.street import build
from kd_seg_ros.clouds.camera_pose import tilted_camera
from kd_seg_ros.clouds.ground_plane import Grid, GroundProjection, occupancy
from kd_seg_ros.clouds.ground_points import GroundPoints
from kd_seg_ros.clouds.labelled_cloud import POINT, DepthProjection, write_points
from kd_seg_ros.clouds.pinhole import Pinhole

SIZES = ((1080, 1920), (540, 960), (270, 480))
GROUND_CLASSES = (0, 1, 9)
"""Road, sidewalk, terrain."""
BINS = (0, 5, 10, 15, 20, 30)
"""Distances between which errors are put together, metres."""
FRAMES, DRIVE_SIZE, SEED = 40, (270, 480), 11
LENS = (-0.3, 0.1, 0.0, 0.0, 0.0)
"""A lens of the plumb_bob model."""


def main() -> None:
    """Print two tables."""
    print("| mask | cloud, ms | grid of 200×200 cells, ms | ground's points, ms | of a new pose, ms |")
    print("|---|---:|---:|---:|---:|")
    for size in SIZES:
        points = f"{points_ms(size):.1f} | {places_ms(size):.0f}"
        print(f"| {size[1]}×{size[0]} | {cloud_ms(size):.1f} | {grid_ms(size):.2f} | {points} |")
    print(f"\na new pose for 200×200 cells: {pose_ms(()):.1f} ms, with a lens {pose_ms(LENS):.1f} ms")
    print("\n| distance, m | pixels | fixed: median, m | 95 of 100 | each frame's: median | 95 of 100 |")
    print("|---|---:|---:|---:|---:|---:|")
    distance, fixed, measured = drive_errors()
    for near, far in pairwise(BINS):
        here = (distance >= near) & (distance < far)
        if here.any():
            cells = [f"{np.percentile(error[here], q):.2f}" for error in (fixed, measured) for q in (50, 95)]
            print(f"| {near}–{far} | {here.sum()} | {' | '.join(cells)} |")


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
    projection = GroundProjection(camera_of(size), tilted_camera(1.5), grid, size, 0.5)
    drivable = np.zeros(256, np.bool_)
    return milliseconds(
        lambda: occupancy(projection.look_up(mask, 255), projection.look_up(confidence, 0), drivable, 255)
    )


def points_ms(size: tuple[int, int]) -> float:
    """Return the time from two maps to the bytes of the cloud on the ground."""
    mask, confidence = np.random.default_rng(0).integers(0, 19, (2, *size), np.uint8)
    coordinates = GroundPoints(camera_of(size), tilted_camera(1.5), size, 0.5).coordinates
    points = np.zeros(size, POINT)
    return milliseconds(lambda: write_points(points, coordinates, mask, confidence))


def places_ms(size: tuple[int, int]) -> float:
    """Return the time to find the place of each pixel, as needed whenever the camera has moved."""
    return milliseconds(lambda: GroundPoints(camera_of(size), tilted_camera(1.5), size, 0.5))


def pose_ms(lens: tuple[float, ...]) -> float:
    """Return the time to find the pixel of each cell, as needed whenever the camera has moved."""
    size = SIZES[0]
    camera = replace(camera_of(size), distortion=lens)
    grid = Grid(0.0, 20.0, 20.0, 0.1)
    return milliseconds(lambda: GroundProjection(camera, tilted_camera(1.5), grid, size, 0.5))


def drive_errors() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the true distance of each pixel of ground, and its error by either pose, metres."""
    drive = Drive(SEED, DRIVE_SIZE, FRAMES, ("clear",))
    street = build(SEED, FRAMES / RATE * CAMERA_SPEED + VIEW)  # the drive's own
    rows = []
    for index in range(0, FRAMES, 4):
        frame = drive.render(index)
        camera = drive.camera(street, index / RATE)
        on_ground = np.isin(frame.labels, GROUND_CLASSES) & np.isfinite(frame.depth)
        # Right, up and forward of each pixel's point, in axes that turn with the camera's heading only.
        points = (frame.depth[..., None] * camera.rays)[on_ground].astype(np.float64)
        sin, cos = np.sin(camera.yaw), np.cos(camera.yaw)
        true = np.stack([points[:, 0] * sin + points[:, 2] * cos, points[:, 2] * sin - points[:, 0] * cos])
        tilt = -np.degrees(camera.pitch), np.degrees(camera.roll)
        places = []
        for pose in (tilted_camera(1.5), tilted_camera(camera.position[1], *tilt)):
            lens = Pinhole(camera.focal, camera.focal, *camera.centre, DRIVE_SIZE)
            flat = GroundPoints(lens, pose, DRIVE_SIZE, coarsest=1e6).coordinates[on_ground]
            places.append(flat[:, :2].T)
        rows.append([np.hypot(*true), *(np.hypot(*(place - true)) for place in places)])
    distance, fixed, measured = np.concatenate(rows, axis=1)
    seen = np.isfinite(fixed) & np.isfinite(measured)
    return distance[seen], fixed[seen], measured[seen]


if __name__ == "__main__":
    main()
