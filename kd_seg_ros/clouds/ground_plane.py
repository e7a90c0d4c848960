"""Which pixel shows which patch of the ground, for a camera of known pose over a flat ground.

The vehicle's frame (REP 103): x ahead, y to the left, z up, its origin on the ground. With the camera at C
and R the turn from its optical axes to the vehicle's, a point P of the ground is in the optical frame at
Rᵀ (P − C). No ROS in here.

How far a flat ground holds: with focal length f (pixels) and height h, a row of pixels covers d² / (f · h)
metres at distance d, and an error of the pitch of δ (radians) moves a patch by about d² δ / h.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.clouds.camera_pose import CameraPose, PoseError
from kd_seg_ros.clouds.pinhole import Pinhole, project


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
        :raises PoseError: for a camera that is not above the ground, or does not see the grid.
        """
        self.camera, self.pose, self.size = camera, pose, size
        self._shape = grid.size
        pose.check_above_ground()
        x, y, height = pose.position
        cells = grid.centres()
        self._rows, self._columns, inside = project(camera, pose.optical(cells), size)
        distance = np.linalg.norm(cells[:, :2] - [x, y], axis=1)
        focal = camera.fy * size[0] / camera.size[0]
        self.seen = inside & (distance**2 / (focal * height) <= coarsest)
        """Whether a cell is in the picture and near enough, [across · ahead]."""
        if not self.seen.any():
            raise PoseError(f"no cell of the grid is in the picture and near enough: {pose.view()}")

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
