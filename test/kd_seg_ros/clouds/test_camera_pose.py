"""A camera's pose from angles and from TF, against SciPy's rotations and the camera models of the maps."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("sensor_msgs")

from scipy.spatial.transform import Rotation
from sensor_msgs.msg import CameraInfo

from kd_seg_ros.clouds.camera_pose import CameraPose, PoseError, camera_of_transform, tilted_camera
from kd_seg_ros.clouds.pinhole import pinhole, project
from kd_seg_ros.node.camera_info import turned_camera_info

ANGLES = st.floats(-85, 85)
TRANSFORM = (0.8, -0.4, 1.5), (-0.5, 0.5, -0.5, 0.5)
"""A level camera: ROS's usual turn from a camera's frame to its optical frame."""


def test_the_usual_turn_to_an_optical_frame_is_a_level_camera() -> None:
    found, expected = camera_of_transform(*TRANSFORM), tilted_camera(1.5, x=0.8, y=-0.4)
    assert found.position == expected.position
    np.testing.assert_allclose(found.rotation, expected.rotation, atol=1e-12)
    np.testing.assert_allclose(found.optical(np.array([[10.8, -0.4, 1.5]])), [[0, 0, 10]], atol=1e-12)
    np.testing.assert_allclose(found.optical(np.array([[10.8, 0.6, 0.0]])), [[-1, 1.5, 10]], atol=1e-12)


@given(ANGLES, ANGLES, ANGLES)
def test_angles_and_transforms_agree(pitch: float, roll: float, yaw: float) -> None:
    turn = Rotation.from_euler("ZYX", [yaw, pitch, roll], degrees=True)
    optical = turn * Rotation.from_quat(TRANSFORM[1])
    found = camera_of_transform((0, 0, 2), optical.as_quat())
    np.testing.assert_allclose(found.rotation, optical.as_matrix(), atol=1e-12)
    np.testing.assert_allclose(found.rotation, tilted_camera(2, pitch, roll, yaw).rotation, atol=1e-12)


def test_tilts_have_the_signs_that_are_stated() -> None:
    ahead = np.array([[10.0, 0.0, 2.0]])
    down = tilted_camera(2, pitch=10).optical(ahead)[0]
    assert down[1] < 0 < down[2]  # what is level with a camera that looks down is in the upper half
    left = tilted_camera(2, yaw=10).optical(ahead)[0]
    assert left[0] > 0  # to the left: what is straight ahead is at the right
    leaning = tilted_camera(2, roll=10).optical(np.array([[10.0, 3.0, 2.0]]))[0]
    assert leaning[1] > 0  # to the right: what is at the left sinks in the picture


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_turned_picture_shows_points_where_its_calibration_has_them(degrees: int) -> None:
    info = CameraInfo(height=48, width=64)
    info.k = [40.0, 0.0, 30.0, 0.0, 42.0, 20.0, 0.0, 0.0, 1.0]
    pose = tilted_camera(1.5, pitch=12, roll=4, yaw=-7)
    points = np.random.default_rng(0).uniform([4, -2, 0], [12, 2, 1], (200, 3))
    rows, columns, inside = project(pinhole(info), pose.optical(points), (48, 64))
    picture = np.zeros((48, 64), np.int64)
    picture[rows[inside], columns[inside]] = 1 + np.flatnonzero(inside)
    turned = np.rot90(picture, -degrees // 90)

    camera = pinhole(turned_camera_info(info, degrees))
    rows, columns, there = project(camera, pose.turned(degrees).optical(points), turned.shape)
    assert inside.sum() > 100
    assert (there == inside).all()
    # Half way between two pixels one or the other is taken.
    shown = turned[rows[inside], columns[inside]] > 0
    assert shown.mean() > 0.98


def test_poses_are_equal_where_their_numbers_are() -> None:
    poses = [camera_of_transform(*TRANSFORM) for _ in range(2)]
    assert all(one == other for one, other in pairwise(poses))
    assert poses[0] != camera_of_transform((0.8, -0.4, 1.6), TRANSFORM[1])


@pytest.mark.parametrize(
    ("translation", "quaternion"),
    [
        ((0, 0, np.nan), (0, 0, 0, 1)),
        ((0, 0, 1), (0, 0, 0, 0)),
        ((0, 0, 1), (0, 0, np.inf, 1)),
        ((0, 0, 1), (1, 1, 1, 1)),
    ],
)
def test_numbers_that_are_no_pose_are_refused(
    translation: tuple[float, ...], quaternion: tuple[float, ...]
) -> None:
    with pytest.raises(PoseError, match="no pose"):
        camera_of_transform(translation, quaternion)


def test_a_quaternion_with_errors_of_rounding_is_taken() -> None:
    pose: CameraPose = camera_of_transform((0, 0, 1), (0, 0, 0, 1.001))
    np.testing.assert_allclose(pose.rotation, np.eye(3))
