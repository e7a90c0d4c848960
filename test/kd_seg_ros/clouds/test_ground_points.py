"""The ground's place of each pixel, against the street generator's rays and the way from cells to pixels."""

from __future__ import annotations

import numpy as np
import pytest

from distill.scenes.camera import PinholeCamera
from kd_seg_ros.clouds.camera_pose import CameraPose, PoseError, tilted_camera
from kd_seg_ros.clouds.ground_points import GroundPoints
from kd_seg_ros.clouds.pinhole import Pinhole, project

SIZE = (120, 160)
PLAIN = Pinhole(110, 110, 79.5, 59.5, SIZE)
LENS = Pinhole(110, 110, 79.5, 59.5, SIZE, (-0.25, 0.05, 0.001, -0.002, 0.0))
FISHEYE = Pinhole(110, 110, 79.5, 59.5, SIZE, (-0.02, 0.01, -0.004, 0.001), True)
POSE = tilted_camera(2.0, pitch=4.0, roll=5.0, yaw=-7.0, x=0.8, y=-0.4)


def test_pixels_show_the_ground_where_the_generators_rays_meet_it() -> None:
    camera = PinholeCamera(
        *SIZE,
        focal=110.0,
        position=(0.4, 2.0, 0.8),
        yaw=np.radians(7.0),
        pitch=-np.radians(4.0),
        roll=np.radians(5.0),
    )
    down = camera.rays[..., 1] < -0.02
    ahead = -2.0 / camera.rays[..., 1]
    right, _, forward = np.moveaxis(ahead[..., None] * camera.rays + camera.position, 2, 0)
    found = GroundPoints(PLAIN, POSE, SIZE, coarsest=1e6).coordinates
    assert down.mean() > 0.4
    np.testing.assert_allclose(found[down][:, 0], forward[down], rtol=1e-3)
    np.testing.assert_allclose(found[down][:, 1], -right[down], rtol=1e-3, atol=1e-3)
    assert (found[down][:, 2] == 0).all()
    up = camera.rays[..., 1] > 0.001
    assert np.isnan(found[up]).all()


@pytest.mark.parametrize("camera", [PLAIN, LENS, FISHEYE], ids=["none", "plumb_bob", "fisheye"])
@pytest.mark.parametrize("size", [SIZE, (60, 80)])
def test_the_places_are_seen_in_their_pixels(camera: Pinhole, size: tuple[int, int]) -> None:
    found = GroundPoints(camera, POSE, size, coarsest=0.5).coordinates
    known = np.isfinite(found).all(axis=2)
    assert known.mean() > 0.25
    rows, columns, inside = project(camera, POSE.optical(found[known].astype(np.float64)), size)
    v, u = np.nonzero(known)
    assert inside.all()
    np.testing.assert_array_equal(rows, v)
    np.testing.assert_array_equal(columns, u)


@pytest.mark.filterwarnings("error")
def test_a_row_on_the_horizon_is_quietly_left_out() -> None:
    level = Pinhole(110, 110, 80.0, 60.0, SIZE)  # row 60 looks straight ahead
    found = GroundPoints(level, tilted_camera(1.5), SIZE, coarsest=1e6).coordinates
    assert np.isnan(found[:61]).all()
    assert np.isfinite(found[61:]).all()


def test_points_are_left_out_where_a_row_covers_too_much() -> None:
    found = GroundPoints(PLAIN, tilted_camera(1.5), SIZE, coarsest=0.2).coordinates
    farthest = np.sqrt(0.2 * 110 * 1.5)
    distance = np.hypot(found[..., 0], found[..., 1])
    assert np.nanmax(distance) <= farthest
    assert np.nanmax(distance) > farthest - 1
    everything = GroundPoints(PLAIN, tilted_camera(1.5), SIZE, coarsest=1e6).coordinates
    known = np.isfinite(found)
    np.testing.assert_array_equal(found[known], everything[known])


@pytest.mark.parametrize(
    ("pose", "message"),
    [
        (tilted_camera(1.5, pitch=-80), "no pixel shows ground that is near enough: .*looks along"),
        (tilted_camera(-0.3), r"at z = -0.30 m"),
    ],
)
def test_a_camera_that_sees_no_ground_is_refused(pose: CameraPose, message: str) -> None:
    with pytest.raises(PoseError, match=message):
        GroundPoints(PLAIN, pose, SIZE, coarsest=1.0)
