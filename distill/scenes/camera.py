"""A pinhole camera in a world of metres: x right, y up, z forward along the street.

Pixel centres lie at whole coordinates (u = column, v = row). *Depth* is planar, along the optical axis
(REP 118, as depth cameras publish it); *range* is the length of the ray, the path light takes through fog:
range = depth · √(1 + ((u − cx)/f)² + ((v − cy)/f)²).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class PinholeCamera:
    """Position, direction and image size of a camera without distortion.

    Angles in radians: ``yaw`` to the right, ``pitch`` upwards, ``roll`` clockwise.
    """

    height: int
    width: int
    focal: float
    """Focal length in pixels."""
    position: tuple[float, float, float]
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0

    @property
    def centre(self) -> tuple[float, float]:
        """Principal point (cx, cy) in pixels: the middle of the image."""
        return (self.width - 1) / 2, (self.height - 1) / 2

    @cached_property
    def rotation(self) -> npt.NDArray[np.float64]:
        """Rotation from world to camera axes, [3,3]; its rows are the camera's axes right, down, forward."""
        sin_y, cos_y, sin_p, cos_p = (
            np.sin(self.yaw),
            np.cos(self.yaw),
            np.sin(self.pitch),
            np.cos(self.pitch),
        )
        right = np.array([cos_y, 0, -sin_y])
        up = np.array([-sin_y * sin_p, cos_p, -cos_y * sin_p])
        forward = np.array([sin_y * cos_p, sin_p, cos_y * cos_p])
        sin_r, cos_r = np.sin(self.roll), np.cos(self.roll)
        return np.stack([cos_r * right - sin_r * up, -cos_r * up - sin_r * right, forward])

    def to_camera(self, points: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Transform world points [n,3], metres, into camera axes (right, down, forward)."""
        return (np.asarray(points, np.float64) - self.position) @ self.rotation.T

    def project(self, points: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Project points in camera axes [n,3], forward > 0, to pixels (u, v) [n,2]."""
        points = np.asarray(points, np.float64)
        return points[:, :2] / points[:, 2:] * self.focal + self.centre

    @cached_property
    def rays(self) -> Array:
        """World direction of each pixel per metre of depth, [H,W,3]: point = position + depth · ray."""
        cx, cy = self.centre
        u = (np.arange(self.width, dtype=np.float32) - np.float32(cx)) / np.float32(self.focal)
        v = (np.arange(self.height, dtype=np.float32) - np.float32(cy)) / np.float32(self.focal)
        right, down, forward = self.rotation.astype(np.float32)
        return u[None, :, None] * right + v[:, None, None] * down + forward

    @cached_property
    def range_per_depth(self) -> Array:
        """Length of each pixel's ray per metre of depth, [H,W], ≥ 1."""
        return np.sqrt(np.einsum("hwc,hwc->hw", self.rays, self.rays))
