"""Clouds against the street generator, whose every pixel has a known place."""

from __future__ import annotations

import numpy as np
import pytest

from distill.scenes.camera import PinholeCamera
from kd_seg_ros.clouds.depth import DepthError
from kd_seg_ros.clouds.labelled_cloud import (
    POINT,
    DepthProjection,
    check_same_view,
    nearest_pixels,
    points_at_size,
    write_points,
)
from kd_seg_ros.clouds.pinhole import Pinhole

CAMERA = PinholeCamera(24, 32, focal=30.0, position=(0.0, 0.0, 0.0))
CALIBRATION = Pinhole(30, 30, 15.5, 11.5, (24, 32))


def test_points_lie_where_the_generator_has_them() -> None:
    depth = np.random.default_rng(0).uniform(1, 50, (24, 32)).astype(np.float32)
    points = DepthProjection(CALIBRATION, (24, 32), (24, 32)).points(depth)
    in_world = depth[..., None] * CAMERA.rays  # x right, y up, z forward
    np.testing.assert_allclose(points * [1, -1, 1], in_world, rtol=1e-5, atol=1e-5)


def test_a_mask_of_half_the_size_gets_every_second_point() -> None:
    depth = np.random.default_rng(1).uniform(1, 50, (24, 32)).astype(np.float32)
    points = DepthProjection(CALIBRATION, (24, 32), (12, 16)).points(depth)
    np.testing.assert_array_equal(points[..., 2], depth[1::2, 1::2])
    # Through the middle of the mask's pixel, which is half a pixel from the middle of the depth's.
    np.testing.assert_allclose(
        points[0, 0, :2] / points[0, 0, 2], [(0.5 - 15.5) / 30, (0.5 - 11.5) / 30], rtol=1e-6
    )


def test_gaps_stay_gaps() -> None:
    depth = np.full((24, 32), np.nan, np.float32)
    assert np.isnan(DepthProjection(CALIBRATION, (24, 32), (24, 32)).points(depth)).all()


def test_a_cloud_of_another_size_is_sampled_like_a_mask() -> None:
    cloud = np.arange(8 * 12 * 3, dtype=np.float32).reshape(8, 12, 3)
    assert points_at_size(cloud, (8, 12)) is cloud
    np.testing.assert_array_equal(points_at_size(cloud, (2, 3)), cloud[2::4, 2::4])
    larger = points_at_size(cloud, (16, 24))
    np.testing.assert_array_equal(larger, cloud.repeat(2, axis=0).repeat(2, axis=1))


def test_pixels_never_leave_the_picture() -> None:
    for other, size in (((3, 5), (7, 9)), ((7, 9), (3, 5)), ((1, 1), (4, 4))):
        rows, columns = nearest_pixels(other, size)
        assert len(rows) == size[0]
        assert len(columns) == size[1]
        assert 0 <= rows.min() <= rows.max() < other[0]
        assert 0 <= columns.min() <= columns.max() < other[1]


@pytest.mark.parametrize(("size", "other"), [((480, 640), (640, 480)), ((360, 640), (480, 640))])
def test_pictures_of_another_shape_are_refused(size: tuple[int, int], other: tuple[int, int]) -> None:
    with pytest.raises(DepthError, match="aligned"):
        check_same_view(size, other, "depth image")


@pytest.mark.parametrize(
    ("size", "other"), [((480, 640), (240, 320)), ((1080, 1920), (270, 480)), ((723, 1281), (361, 640))]
)
def test_a_pixel_of_rounding_is_let_through(size: tuple[int, int], other: tuple[int, int]) -> None:
    check_same_view(size, other, "cloud")


def test_all_that_belongs_to_a_point_is_written() -> None:
    rng = np.random.default_rng(2)
    coordinates = rng.normal(size=(3, 4, 3)).astype(np.float32)
    mask, confidence = rng.integers(0, 256, (2, 3, 4), np.uint8)
    points = np.zeros((3, 4), POINT)
    write_points(points, coordinates, mask, confidence)
    raw = points.tobytes()
    assert len(raw) == 12 * 16
    for number, (v, u) in enumerate(np.ndindex(3, 4)):
        point = raw[16 * number : 16 * number + 16]
        np.testing.assert_array_equal(np.frombuffer(point[:12], "<f4"), coordinates[v, u])
        assert point[12:] == bytes([mask[v, u], confidence[v, u], 0, 0])
