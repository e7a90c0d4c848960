"""Which pixel shows which patch of the ground, for a camera of known height and tilt over a flat ground.

The vehicle's frame (REP 103): x ahead, y to the left, z up, its origin on the ground. The camera is at
(x, y, h) and is turned by roll about x, then pitch about y (positive: it looks down), then yaw about z
(positive: to the left). A point P of the ground is seen in the direction d = Rᵀ (P − C) with
R = R_z(yaw) R_y(pitch) R_x(roll), and in the optical frame at (−d_y, −d_z, d_x). No ROS in here.

How far a flat ground holds: with focal length f (pixels) and height h, a row of pixels covers d² / (f · h)
metres at distance d, and an error of the pitch of δ (radians) moves a patch by about d² δ / h.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.clouds.pinhole import Pinhole, project


@dataclass(frozen=True)
class CameraPose:
    """Where the camera is in the vehicle's frame, metres and degrees."""

    height: float
    pitch: float = 0.0
    """Positive: the camera looks down."""
    roll: float = 0.0
    yaw: float = 0.0
    """Positive: to the left."""
    x: float = 0.0
    y: float = 0.0

    def rotation(self) -> NDArray[np.float64]:
        """Return the rotation from the camera's axes (ahead, left, up) to the vehicle's, [3, 3]."""
        roll, pitch, yaw = np.radians([self.roll, self.pitch, self.yaw])
        about_x = np.array([[1, 0, 0], [0, np.cos(roll), -np.sin(roll)], [0, np.sin(roll), np.cos(roll)]])
        about_y = np.array([[np.cos(pitch), 0, np.sin(pitch)], [0, 1, 0], [-np.sin(pitch), 0, np.cos(pitch)]])
        about_z = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
        return about_z @ about_y @ about_x


@dataclass(frozen=True)
class Grid:
    """A rectangle of the ground in square cells, in the vehicle's frame."""

    nearest: float
    """x of its near edge, metres."""
    farthest: float
    """x of its far edge, metres."""
    width: float
    """From its right edge to its left edge, metres, with x's axis in the middle."""
    cell: float
    """Side of a cell, metres."""

    @property
    def size(self) -> tuple[int, int]:
        """Number of cells across (along y) and ahead (along x)."""
        return max(1, round(self.width / self.cell)), max(
            1, round((self.farthest - self.nearest) / self.cell)
        )

    @property
    def corner(self) -> tuple[float, float]:
        """(x, y) of the near right corner, where cell (0, 0) begins."""
        return self.nearest, -self.size[0] * self.cell / 2

    def centres(self) -> NDArray[np.float64]:
        """Return the middles of the cells on the ground, [across · ahead, 3]; x runs fastest."""
        across, ahead = self.size
        x = self.corner[0] + (np.arange(ahead) + 0.5) * self.cell
        y = self.corner[1] + (np.arange(across) + 0.5) * self.cell
        columns, rows = np.meshgrid(x, y)
        return np.stack([columns.ravel(), rows.ravel(), np.zeros(across * ahead)], axis=1)


class GroundProjection:
    """Looks up the pixel of each cell; made once for a camera, a pose, a grid and a size of masks."""

    def __init__(
        self, camera: Pinhole, pose: CameraPose, grid: Grid, size: tuple[int, int], coarsest: float
    ) -> None:
        """Compute the pixels.

        :param size: (height, width) of the masks, in pixels.
        :param coarsest: metres of ground that a row of pixels may cover; cells further off are unknown.
        """
        self.camera, self.size = camera, size
        self._shape = grid.size
        seen_from = np.array([pose.x, pose.y, pose.height])
        directions = (grid.centres() - seen_from) @ pose.rotation()
        optical = np.stack([-directions[:, 1], -directions[:, 2], directions[:, 0]], axis=1)
        self._rows, self._columns, inside = project(camera, optical, size)
        distance = np.linalg.norm(grid.centres()[:, :2] - seen_from[:2], axis=1)
        focal = camera.fy * size[0] / camera.size[0]
        self.seen = inside & (distance**2 / (focal * pose.height) <= coarsest)
        """Whether a cell is in the picture and near enough, [across · ahead]."""

    def look_up(self, picture: NDArray[np.uint8], elsewhere: int) -> NDArray[np.uint8]:
        """Return the picture's value for each cell, [across, ahead].

        :param picture: [H, W] of the size that this was made for.
        :param elsewhere: value of the cells that are not seen.
        """
        values = np.where(self.seen, picture[self._rows, self._columns], np.uint8(elsewhere))
        return values.reshape(self._shape)


def occupancy(
    classes: NDArray[np.uint8], confidence: NDArray[np.uint8], drivable: NDArray[np.bool_], unknown: int
) -> NDArray[np.int8]:
    """Return a grid as ``nav_msgs/OccupancyGrid`` counts: 0 free … 100 occupied, −1 unknown.

    A drivable class counts with the probability that it is wrong: 100 · (1 − p). Any other class is 100,
    whatever its confidence: what else it may be is not known to be drivable.

    :param classes: trainId of each cell.
    :param confidence: round(255 · p) of each cell, p the probability of that class.
    :param drivable: [256], whether a trainId can be driven on.
    :param unknown: trainId of cells that are not seen or not trusted.
    """
    doubt = np.rint((255.0 - confidence) * (100 / 255)).astype(np.int8)
    cost = np.where(drivable[classes], doubt, np.int8(100))
    return np.where(classes == unknown, np.int8(-1), cost).astype(np.int8)
