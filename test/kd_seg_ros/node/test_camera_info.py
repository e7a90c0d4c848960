"""A scaled or turned calibration projects every point where the scaled or turned picture shows it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

pytest.importorskip("sensor_msgs")

from sensor_msgs.msg import CameraInfo, RegionOfInterest

from kd_seg_ros.node.camera_info import (
    image_camera_info,
    output_camera_info,
    scaled_camera_info,
    turned_camera_info,
)


def calibrated() -> CameraInfo:
    info = CameraInfo(width=1920, height=1080, distortion_model="plumb_bob", d=[0.1, -0.2, 0.0, 0.0, 0.0])
    info.header.frame_id = "left"
    info.k = [1000.0, 2.0, 950.0, 0.0, 1010.0, 545.0, 0.0, 0.0, 1.0]
    info.r = np.eye(3).ravel().tolist()
    info.p = [990.0, 0.0, 940.0, -120.0, 0.0, 995.0, 540.0, 7.0, 0.0, 0.0, 1.0, 0.0]
    info.roi = RegionOfInterest(x_offset=192, y_offset=108, width=960, height=540)
    return info


def project(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    seen = points @ matrix.T
    return seen[:, :2] / seen[:, 2:]


@pytest.mark.parametrize("size", [(540, 960), (270, 640), (1, 1)])
def test_points_land_on_the_same_part_of_the_picture(size: tuple[int, int]) -> None:
    info = calibrated()
    scaled = scaled_camera_info(info, size)
    points = np.random.default_rng(0).uniform([-5, -3, 4], [5, 3, 50], (20, 3))
    homogeneous = np.hstack([points, np.ones((20, 1))])
    factor = np.array([size[1] / 1920, size[0] / 1080])
    for before, after, given in (
        (info.k.reshape(3, 3), scaled.k.reshape(3, 3), points),
        (info.p.reshape(3, 4), scaled.p.reshape(3, 4), homogeneous),
    ):
        # The middle of the first pixel is at 0, half a pixel from the picture's edge.
        np.testing.assert_allclose(
            project(after, given) + 0.5, (project(before, given) + 0.5) * factor, atol=1e-9
        )


def test_the_rest_stays_and_the_original_is_untouched() -> None:
    info = calibrated()
    scaled = scaled_camera_info(info, (540, 960))
    assert info == calibrated()
    assert (scaled.height, scaled.width, scaled.header) == (540, 960, info.header)
    assert (scaled.distortion_model, scaled.d, scaled.r.tolist()) == ("plumb_bob", info.d, info.r.tolist())
    assert scaled.roi == RegionOfInterest(x_offset=96, y_offset=54, width=480, height=270)


def test_a_camera_without_calibration_has_none_afterwards() -> None:
    scaled = scaled_camera_info(CameraInfo(width=1920, height=1080), (540, 960))
    assert not scaled.k.any()
    assert not scaled.p.any()


def turned_pixels(pixels: np.ndarray, degrees: int, width: int, height: int) -> np.ndarray:
    """Where pixels (u, v) of a picture lie after it has been turned clockwise, found by turning a picture."""
    u, v = pixels.T
    column, row = {
        90: (height - 1 - v, u),
        180: (width - 1 - u, height - 1 - v),
        270: (v, width - 1 - u),
    }[degrees]
    return np.stack([column, row], axis=1)


def turned_rays(points: np.ndarray, degrees: int) -> np.ndarray:
    """Points as seen by a camera turned about its axis; the picture's x to the right and y down."""
    angle = np.deg2rad(degrees)
    about_axis = [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    return points @ np.array(about_axis).T


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_turned_pixels_are_those_of_a_turned_picture(degrees: int) -> None:
    picture = np.arange(6).reshape(2, 3)
    v, u = np.indices(picture.shape)
    places = turned_pixels(np.stack([u.ravel(), v.ravel()], 1), degrees, 3, 2)
    turned = np.rot90(picture, -degrees // 90)
    np.testing.assert_array_equal(turned[places[:, 1], places[:, 0]], picture.ravel())


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_turned_camera_sees_every_point_where_the_turned_picture_shows_it(degrees: int) -> None:
    info = calibrated()
    info.k[1] = 0.0  # OpenCV knows no skew
    info.r = cv2.Rodrigues(np.array([0.02, -0.03, 0.01]))[0].ravel().tolist()
    turned = turned_camera_info(info, degrees)
    size = (1920, 1080) if degrees == 180 else (1080, 1920)
    assert (turned.width, turned.height) == size
    points = np.random.default_rng(0).uniform([-5, -3, 4], [5, 3, 50], (20, 3))
    # Raw pixels: distortion and K, by OpenCV.
    before, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), info.k.reshape(3, 3), np.array(info.d))
    after, _ = cv2.projectPoints(
        turned_rays(points, degrees), np.zeros(3), np.zeros(3), turned.k.reshape(3, 3), np.array(turned.d)
    )
    np.testing.assert_allclose(after[:, 0], turned_pixels(before[:, 0], degrees, 1920, 1080), atol=1e-6)
    # Rectified pixels: R and P by their definition.
    rectified = np.hstack([points @ info.r.reshape(3, 3).T, np.ones((20, 1))])
    likewise = np.hstack([turned_rays(points, degrees) @ turned.r.reshape(3, 3).T, np.ones((20, 1))])
    np.testing.assert_allclose(
        project(turned.p.reshape(3, 4), likewise),
        turned_pixels(project(info.p.reshape(3, 4), rectified), degrees, 1920, 1080),
        atol=1e-6,
    )
    assert turned.distortion_model == "plumb_bob"


def test_four_quarter_turns_change_nothing_and_the_original_is_untouched() -> None:
    info = calibrated()
    info.binning_x, info.binning_y = 2, 1
    info.d = np.linspace(0.1, 0.8, 12).tolist()
    info.distortion_model = "rational_polynomial"
    turned = info
    for _ in range(4):
        turned = turned_camera_info(turned, 90)
        turned.k, turned.p = turned.k.round(9).tolist(), turned.p.round(9).tolist()
    np.testing.assert_allclose(turned.d, info.d)
    turned.d = info.d
    assert turned == info
    assert turned_camera_info(info, 180).roi == RegionOfInterest(
        x_offset=1920 - 192 - 960, y_offset=1080 - 108 - 540, width=960, height=540
    )
    quarter = turned_camera_info(info, 90)
    assert (quarter.binning_x, quarter.binning_y) == (1, 2)
    assert quarter.roi == RegionOfInterest(x_offset=1080 - 108 - 540, y_offset=192, width=540, height=960)


def test_thin_prisms_turn_like_opencv_says() -> None:
    coefficients = np.array([0.1, -0.05, 0.01, -0.02, 0.01, 0.02, 0.01, 0.0, 0.03, -0.02, 0.04, 0.01])
    info = CameraInfo(width=640, height=480, distortion_model="rational_polynomial", d=coefficients.tolist())
    info.k = [500.0, 0.0, 310.0, 0.0, 510.0, 250.0, 0.0, 0.0, 1.0]
    points = np.random.default_rng(1).uniform([-3, -2, 5], [3, 2, 9], (9, 3))
    turned = turned_camera_info(info, 270)
    zero = np.zeros(3)
    before, _ = cv2.projectPoints(points, zero, zero, info.k.reshape(3, 3), coefficients)
    rays = turned_rays(points, 270)
    after, _ = cv2.projectPoints(rays, zero, zero, turned.k.reshape(3, 3), np.array(turned.d))
    np.testing.assert_allclose(after[:, 0], turned_pixels(before[:, 0], 270, 640, 480), atol=1e-6)


@pytest.mark.parametrize(
    ("model", "d", "kept"),
    [
        ("equidistant", [0.1, 0.2, 0.3, 0.4], True),
        ("some_vendors", [0.1, 0.2], False),
        ("rational_polynomial", [0.0] * 12 + [0.01, 0.0], False),
    ],
)
def test_distortion_is_kept_only_where_it_is_known_how_it_turns(
    model: str, d: list[float], kept: bool
) -> None:
    turned = turned_camera_info(CameraInfo(width=8, height=6, distortion_model=model, d=d), 180)
    assert (turned.distortion_model, list(turned.d)) == ((model, d) if kept else ("", []))


def test_the_calibration_of_an_image_that_is_a_part_of_the_sensor_or_binned() -> None:
    info = calibrated()
    info.binning_x = info.binning_y = 2
    part = image_camera_info(info, (270, 480))
    assert part is not None
    assert (part.height, part.width, part.binning_x, part.roi) == (270, 480, 0, RegionOfInterest())
    points = np.random.default_rng(0).uniform([-5, -3, 4], [5, 3, 50], (20, 3))
    # Two by two pixels of the region become one, whose middle lies between theirs.
    whole = project(info.k.reshape(3, 3), points) - [192, 108]
    np.testing.assert_allclose(project(part.k.reshape(3, 3), points), (whole + 0.5) / 2 - 0.5)
    assert info.roi.width == 960


@pytest.mark.parametrize(("size", "known"), [((540, 960), True), ((541, 961), True), ((1080, 1440), False)])
def test_the_calibration_of_a_scaled_image(size: tuple[int, int], known: bool) -> None:
    info = calibrated()
    info.roi = RegionOfInterest()
    assert image_camera_info(info, (1080, 1920)) is info
    assert image_camera_info(info, size) is (info if known else None)
    output = output_camera_info(info, size, 90, (480, 270))
    if known:
        assert output is not None
        assert (output.height, output.width) == (480, 270)
    else:
        assert output is None
