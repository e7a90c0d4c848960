"""Vector products, clipping, and how much of each pixel a polygon covers."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

NEAR = 0.25
"""Metres from the camera to the near plane; nothing closer is drawn."""
Doubles = npt.NDArray[np.float64]


def cross(a: Doubles, b: Doubles) -> Doubles:
    """Return the vector product of two vectors [3] (NumPy's own is slow for single ones)."""
    (ax, ay, az), (bx, by, bz) = a.tolist(), b.tolist()
    return np.array([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx])


def clip_near(points: Doubles) -> Doubles:
    """Return the part of a polygon [n,3] in camera axes beyond the near plane (Sutherland–Hodgman)."""
    inside = points[:, 2] > NEAR
    if inside.all() or not inside.any():
        return points if inside.all() else points[:0]
    kept = []
    for index in range(len(points)):
        here, there = points[index - 1], points[index]
        if inside[index - 1] != inside[index]:
            kept.append(here + (there - here) * ((NEAR - here[2]) / (there[2] - here[2])))
        if inside[index]:
            kept.append(there)
    return np.array(kept)


def cover(outlines: Sequence[Doubles], height: int, width: int, grow: float = 0.0) -> npt.NDArray[np.uint8]:
    """Return how much of each pixel convex polygons [n,2] cover together, 0…255.

    Sampled 4 x 4 times per pixel, 2 x 2 times in large pictures. OpenCV fills every sample that the outline
    touches, so the outlines are drawn in by half a sample; then they ``grow`` by a number of pixels.
    """
    factor = 4 if height * width < 20000 else 2
    samples = np.zeros((height * factor, width * factor), np.uint8)
    stretch = 2 * factor * grow - 1  # samples by which an outline becomes larger from side to side
    for outline in outlines:
        points = (outline + 0.5) * factor - 0.5
        if stretch:
            low, high = points.min(0), points.max(0)
            middle = (low + high) / 2
            points = (points - middle) * np.maximum(0, 1 + stretch / np.maximum(high - low, 1e-6)) + middle
        fixed = np.rint(points.clip(-30000, 30000) * 16).astype(np.int32)
        cv2.fillPoly(samples, [fixed], 255, cv2.LINE_8, 4)
    return cv2.resize(samples, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
