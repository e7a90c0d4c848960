"""Where a camera is and which way it looks, from tilt angles or from TF. No ROS in here.

The vehicle's frame (REP 103): x ahead, y to the left, z up, its origin on the ground. A camera's optical
frame: x right, y down, z forward. With C the camera's place and R the turn from the optical axes to the
vehicle's, a point p of the optical frame is at P = R p + C in the vehicle's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.node.camera_info import turn_about_axis

Rows = tuple[tuple[float, float, float], ...]


class PoseError(ValueError):
    """A pose from which no ground can be seen; the message says why."""


@dataclass(frozen=True)
class CameraPose:
    """The pose of a camera's optical frame in the vehicle's frame."""

    position: tuple[float, float, float]
    """C, metres."""
    rotation: Rows
    """R, row by row: its columns are the optical axes in the vehicle's frame."""

    def optical(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return points of the vehicle's frame in the optical frame, [n, 3], metres."""
        return np.asarray((points - np.array(self.position)) @ np.array(self.rotation), np.float64)

    def turned(self, degrees: int) -> CameraPose:
        """Return the pose of the camera's picture turned clockwise by 0, 90, 180 or 270 degrees."""
        return CameraPose(self.position, _rows(np.array(self.rotation) @ turn_about_axis(degrees).T))

    def check_above_ground(self) -> None:
        """Refuse a camera from which no ground can be seen.

        :raises PoseError: if it is not above z = 0.
        """
        if self.position[2] <= 0:
            raise PoseError(
                f"the camera is at z = {self.position[2]:.2f} m of the grid's frame, not above its plane "
                "z = 0, which is taken as the ground: choose a frame_id whose origin is on the ground"
            )

    def view(self) -> str:
        """Say where the camera looks, for somebody who expected something else."""
        _right, down, forward = np.round(np.transpose(self.rotation), 2) + 0.0  # without negative zeros
        return (
            f"in the grid's frame (ahead, left, up) the camera looks along {forward.tolist()}, and down in "
            f"its picture is {down.tolist()}. If that is wrong, its frame_id is no optical frame: x right, "
            "y down, z forward (REP 103)"
        )


def tilted_camera(
    height: float,
    pitch: float = 0.0,
    roll: float = 0.0,
    yaw: float = 0.0,
    x: float = 0.0,
    y: float = 0.0,
) -> CameraPose:
    """Return the pose of a camera that is turned by roll about x, then pitch about y, then yaw about z.

    :param height: metres above the ground.
    :param pitch: degrees; positive: it looks down.
    :param roll: degrees; positive: it leans to the right, seen from the rear.
    :param yaw: degrees; positive: to the left.
    :param x: metres from the vehicle's origin ahead.
    :param y: metres from the vehicle's origin to the left.
    """
    roll, pitch, yaw = np.radians([roll, pitch, yaw])
    about_x = np.array([[1, 0, 0], [0, np.cos(roll), -np.sin(roll)], [0, np.sin(roll), np.cos(roll)]])
    about_y = np.array([[np.cos(pitch), 0, np.sin(pitch)], [0, 1, 0], [-np.sin(pitch), 0, np.cos(pitch)]])
    about_z = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
    # A level camera's right is the vehicle's −y, its down −z and its forward x.
    level = np.array([[0, 0, 1], [-1, 0, 0], [0, -1, 0]])
    return CameraPose((x, y, height), _rows(about_z @ about_y @ about_x @ level))


def camera_of_transform(translation: Sequence[float], quaternion: Sequence[float]) -> CameraPose:
    """Return the pose that TF states as the transform from the optical frame to the vehicle's.

    :param translation: (x, y, z), metres.
    :param quaternion: (x, y, z, w), of length 1 or nearly so.
    :raises PoseError: for numbers that are none, or a quaternion of another length.
    """
    values = np.array([*translation, *quaternion], np.float64)
    length = float(np.linalg.norm(values[3:]))
    if not np.isfinite(values).all() or abs(length - 1) > 0.01:
        raise PoseError(f"no pose: translation {tuple(translation)}, quaternion {tuple(quaternion)}")
    x, y, z, w = values[3:] / length
    rotation = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    return CameraPose((float(values[0]), float(values[1]), float(values[2])), _rows(rotation))


def _rows(matrix: NDArray[np.float64]) -> Rows:
    """Return a matrix [3, 3] as tuples, which can be compared."""
    return tuple((float(row[0]), float(row[1]), float(row[2])) for row in matrix)
