"""The ground from above, against a street generator that knows where each pixel's ground is."""

from __future__ import annotations

import numpy as np
import pytest

from distill.scenes.camera import PinholeCamera
from kd_seg_ros.clouds.camera_pose import CameraPose, PoseError, tilted_camera
from kd_seg_ros.clouds.ground_plane import Grid, GroundProjection, occupancy
from kd_seg_ros.clouds.pinhole import Pinhole

SIZE = (120, 160)
CALIBRATION = Pinhole(110, 110, 79.5, 59.5, SIZE)
GRID = Grid(nearest=2.0, farthest=12.0, width=8.0, cell=0.25)
POSES: tuple[dict[str, float], ...] = (
    {"height": 1.5},
    {"height": 1.2, "pitch": 9.0},
    {"height": 2.0, "pitch": 4.0, "roll": 5.0, "yaw": -7.0, "x": 0.8, "y": -0.4},
)


def generator_camera(
    height: float, pitch: float = 0, roll: float = 0, yaw: float = 0, x: float = 0, y: float = 0
) -> PinholeCamera:
    """The same camera in the generator's world: x right, y up, z forward, yaw to the right, pitch upwards."""
    return PinholeCamera(
        *SIZE,
        focal=110.0,
        position=(-y, height, x),
        yaw=-np.radians(yaw),
        pitch=-np.radians(pitch),
        roll=np.radians(roll),
    )


@pytest.mark.parametrize("values", POSES)
def test_cells_show_the_ground_that_the_generator_has_there(values: dict[str, float]) -> None:
    camera, pose = generator_camera(**values), tilted_camera(**values)
    rays = camera.rays
    ahead = np.where(rays[..., 1] < 0, -values["height"] / np.minimum(rays[..., 1], -1e-9), np.nan)
    place = ahead[..., None] * camera.rays + camera.position  # where each pixel's ray meets the ground
    # A picture of the ground's checks, 1 m each, drawn by the generator's rays.
    checks = (np.floor(np.nan_to_num(place[..., 0])) + np.floor(np.nan_to_num(place[..., 2]))) % 2
    projection = GroundProjection(CALIBRATION, pose, GRID, SIZE, coarsest=0.3)
    seen = projection.look_up(checks.astype(np.uint8), 255)
    centres = GRID.centres()
    x, y = centres[:, 0].reshape(seen.shape), centres[:, 1].reshape(seen.shape)
    expected = (np.floor(-y) + np.floor(x)) % 2
    known = seen != 255
    assert known.mean() > 0.2
    # Cells whose middle is near a check's edge may fall on the other side of it.
    edge = np.minimum(np.abs(x - np.rint(x)), np.abs(y - np.rint(y)))
    clear = known & (edge > 0.15)
    assert clear.sum() > 60
    np.testing.assert_array_equal(seen[clear], expected[clear])


def test_far_cells_are_unknown_where_a_row_covers_too_much() -> None:
    pose = tilted_camera(1.5)
    fine = GroundProjection(CALIBRATION, pose, GRID, SIZE, coarsest=0.1).seen.reshape(GRID.size)
    coarse = GroundProjection(CALIBRATION, pose, GRID, SIZE, coarsest=100.0).seen.reshape(GRID.size)
    farthest = np.sqrt(0.1 * 110 * 1.5)
    x = GRID.centres()[:, 0].reshape(GRID.size)
    assert not fine[x > farthest].any()
    middle = GRID.size[0] // 2
    assert fine[middle][(x[middle] < farthest - 0.1) & coarse[middle]].all()
    assert coarse.sum() > fine.sum()


@pytest.mark.parametrize(
    ("pose", "message"),
    [
        (tilted_camera(1.5, pitch=-80), "no cell of the grid is in the picture and near enough"),
        (
            tilted_camera(1.5, yaw=180),
            r"looks along \[-1.0, 0.0, 0.0\].*down in its picture is \[0.0, 0.0, -1.0\]",
        ),
        (tilted_camera(0.0), r"at z = 0.00 m of the grid's frame, not above its plane"),
        (tilted_camera(-0.3), r"at z = -0.30 m"),
    ],
)
def test_a_camera_that_cannot_see_the_grid_is_refused(pose: CameraPose, message: str) -> None:
    with pytest.raises(PoseError, match=message):
        GroundProjection(CALIBRATION, pose, GRID, SIZE, coarsest=100.0)


def test_a_mask_of_another_size_shows_the_same_ground() -> None:
    pose = tilted_camera(1.5, pitch=5.0)
    large = np.kron(np.random.default_rng(0).integers(0, 19, (60, 80), np.uint8), np.ones((2, 2), np.uint8))
    one = GroundProjection(CALIBRATION, pose, GRID, SIZE, 100.0).look_up(large, 255)
    half = GroundProjection(CALIBRATION, pose, GRID, (60, 80), 100.0).look_up(large[::2, ::2], 255)
    assert (one == half).mean() > 0.97


def test_the_grid_counts_its_cells() -> None:
    assert GRID.size == (32, 40)
    assert GRID.corner == (2.0, -4.0)
    centres = GRID.centres()
    np.testing.assert_allclose(centres[0], [2.125, -3.875, 0])
    np.testing.assert_allclose(centres[1], [2.375, -3.875, 0])
    np.testing.assert_allclose(centres[-1], [11.875, 3.875, 0])


def test_occupancy_is_doubt_about_what_can_be_driven_on() -> None:
    drivable = np.zeros(256, np.bool_)
    drivable[0] = True
    classes = np.array([[0, 0, 0, 3, 3, 255]], np.uint8)
    confidence = np.array([[255, 128, 0, 255, 10, 200]], np.uint8)
    grid = occupancy(classes, confidence, drivable, 255)
    assert grid.dtype == np.int8
    assert grid.tolist() == [[0, 50, 100, 100, 100, -1]]
