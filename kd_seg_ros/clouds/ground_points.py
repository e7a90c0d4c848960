"""Where the ground is that a pixel shows, for a camera of known pose over a flat ground. No ROS in here.

A pixel with the direction d in the optical frame shows the ground at P = C + s R d, with C the camera's
place, R the turn from its optical axes to the vehicle's and s = −C_z / (R d)_z where that points down. What
is upright is thereby laid onto the ground behind it. How far that holds says
:mod:`kd_seg_ros.clouds.ground_plane`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.clouds.camera_pose import CameraPose, PoseError
from kd_seg_ros.clouds.pinhole import Pinhole, directions


class GroundPoints:
    """The ground's points of a mask's pixels; made once for a camera, a pose and a size."""

    def __init__(self, camera: Pinhole, pose: CameraPose, size: tuple[int, int], coarsest: float) -> None:
        """Compute the points.

        :param size: (height, width) of the masks, in pixels.
        :param coarsest: metres of ground that a row of pixels may cover; points further off are left out.
        :raises PoseError: for a camera that is not above the ground, or does not see it.
        """
        self.camera, self.pose, self.size = camera, pose, size
        pose.check_above_ground()
        height = pose.position[2]
        turn = np.array(pose.rotation, np.float32)
        seen = directions(camera, size)
        rays = seen @ turn[:, :2].T + turn[:, 2]
        focal = camera.fy * size[0] / camera.size[0]
        with np.errstate(all="ignore"):  # rays along the horizon meet the ground nowhere
            length = -np.float32(height) / rays[..., 2]
            rays *= length[..., None]
            squared_distance = rays[..., 0] ** 2 + rays[..., 1] ** 2
            known = (length > 0) & (squared_distance <= coarsest * focal * height)
        rays += np.array(pose.position, np.float32)
        rays[~known] = np.nan
        rays[known, 2] = 0
        self.coordinates: NDArray[np.float32] = rays
        """[H, W, 3] in the vehicle's frame, metres; NaN where no ground is seen."""
        if not known.any():
            raise PoseError(f"no pixel shows ground that is near enough: {pose.view()}")
