"""A scaled calibration projects every point where the scaled picture shows it."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sensor_msgs")

from sensor_msgs.msg import CameraInfo, RegionOfInterest

from kd_seg_ros.node.camera_info import scaled_camera_info


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
