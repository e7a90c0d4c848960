"""Pixels and rays against OpenCV's projection and the street generator's camera."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kd_seg_ros.clouds.pinhole import (
    CalibrationError,
    Pinhole,
    at_other_size,
    directions,
    pinhole,
    project,
    rays,
    rectified_pinhole,
)

PLUMB_BOB = (-0.3, 0.1, 0.001, -0.002, -0.01)
FISHEYE = (-0.02, 0.01, -0.004, 0.001)


def region(x: int = 0, y: int = 0, width: int = 0, height: int = 0) -> Any:
    return SimpleNamespace(x_offset=x, y_offset=y, width=width, height=height)


def camera_info(**changes: Any) -> Any:
    """A calibrated camera of 640×480 without a lens."""
    info = SimpleNamespace(
        height=480,
        width=640,
        distortion_model="plumb_bob",
        d=[0.0] * 5,
        k=[500.0, 0, 310.0, 0, 510.0, 250.0, 0, 0, 1],
        p=[400.0, 0, 300.0, 0, 0, 410.0, 240.0, 0, 0, 0, 1, 0],
        roi=region(),
    )
    for name, value in changes.items():
        setattr(info, name, value)
    return info


def test_the_camera_is_read_with_its_lens_or_rectified() -> None:
    info = camera_info(d=list(PLUMB_BOB))
    assert pinhole(info) == Pinhole(500, 510, 310, 250, (480, 640), PLUMB_BOB)
    assert rectified_pinhole(info) == Pinhole(400, 410, 300, 240, (480, 640))
    assert rectified_pinhole(camera_info(p=[0.0] * 12)) == Pinhole(500, 510, 310, 250, (480, 640))


def test_a_region_of_interest_is_the_whole_picture_without_what_is_around_it() -> None:
    """What the sensor sees in a pixel of the region, the picture of the region shows in its own pixel."""
    whole, part = camera_info(), camera_info(roi=region(100, 60, 320, 240))
    points = np.array([[0.1, 0.05, 1.0], [-0.2, 0.05, 1.0], [0.3, -0.2, 1.0]])
    for read in (pinhole, rectified_pinhole):
        rows, columns, _ = project(read(whole), points, (480, 640))
        part_rows, part_columns, inside = project(read(part), points, (240, 320))
        np.testing.assert_array_equal(part_rows[inside], rows[inside] - 60)
        np.testing.assert_array_equal(part_columns[inside], columns[inside] - 100)
        assert inside.tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"roi": region(400, 0, 320, 240)}, r"roi of 320×240 at \(400, 0\) is not on its sensor of 640×480"),
        ({"k": [0.0] * 9, "p": [0.0] * 12}, "not calibrated"),
        ({"k": [float("nan")] * 9, "p": [float("nan")] * 12}, "not calibrated"),
        ({"width": 0}, "not calibrated"),
        ({"k": [-5.0, 0, 0, 0, 5.0, 0, 0, 0, 1], "p": [-5.0] * 12}, "not calibrated"),
    ],
)
def test_what_is_no_calibration_is_refused(changes: dict[str, Any], message: str) -> None:
    for read in (pinhole, rectified_pinhole):
        with pytest.raises(CalibrationError, match=message):
            read(camera_info(**changes))


@pytest.mark.parametrize(
    ("model", "d", "message"),
    [
        ("thin_prism", [0.1] * 4, "distortion_model 'thin_prism' is not one of"),
        ("plumb_bob", [0.1] * 3, "D has 3 coefficients; plumb_bob has 4, 5"),
        ("equidistant", [0.1] * 5, "D has 5 coefficients; equidistant has 4"),
        ("plumb_bob", [float("inf")] * 5, "no numbers"),
    ],
)
def test_a_lens_that_is_not_known_is_refused(model: str, d: list[float], message: str) -> None:
    with pytest.raises(CalibrationError, match=message):
        pinhole(camera_info(distortion_model=model, d=d))


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 40))
def test_another_size_keeps_the_edges_of_the_picture(length: int, other: int) -> None:
    edges = at_other_size(np.array([-0.5, length - 0.5]), length, other)
    np.testing.assert_allclose(edges, [-0.5, other - 0.5], atol=1e-9)


@pytest.mark.parametrize("lens", [(), PLUMB_BOB, FISHEYE], ids=["none", "plumb_bob", "fisheye"])
def test_points_are_seen_where_opencv_sees_them(lens: tuple[float, ...]) -> None:
    camera = Pinhole(500, 510, 310, 250, (480, 640), lens, lens == FISHEYE)
    points = np.random.default_rng(0).uniform([-1.5, -1, 2], [1.5, 1, 9], (200, 3))
    matrix = np.array([[500.0, 0, 310], [0, 510, 250], [0, 0, 1]])
    if lens == FISHEYE:
        seen = cv2.fisheye.projectPoints(points[:, None], np.zeros(3), np.zeros(3), matrix, np.array(lens))[0]
    else:
        seen = cv2.projectPoints(points, np.zeros(3), np.zeros(3), matrix, np.array(lens or [0.0] * 4))[0]
    rows, columns, inside = project(camera, points, (480, 640))
    expected = seen[:, 0]
    assert inside.any()
    np.testing.assert_array_equal(columns[inside], np.rint(expected[inside, 0]))
    np.testing.assert_array_equal(rows[inside], np.rint(expected[inside, 1]))
    within = ((expected > 0) & (expected < [639, 479])).all(axis=1)
    assert inside[within].all()


def test_points_at_the_back_and_far_outside_the_lens_are_not_seen() -> None:
    plain = Pinhole(500, 500, 320, 240, (480, 640))
    assert not project(plain, np.array([[0.0, 0, -3], [0, 0, 0]]), (480, 640))[2].any()
    # r (1 - 0.3 r²) returns to the middle at r = 1.8: a point that far off is none of the picture's.
    bent = Pinhole(500, 500, 320, 240, (480, 640), (-0.3, 0.0, 0.0, 0.0))
    assert not project(bent, np.array([[1.82, 0, 1.0]]), (480, 640))[2].any()
    assert project(bent, np.array([[0.3, 0, 1.0]]), (480, 640))[2].all()


@settings(deadline=None)
@given(st.integers(2, 30), st.integers(2, 30))
def test_rays_lead_back_to_their_pixels_at_any_size(height: int, width: int) -> None:
    camera = Pinhole(500, 510, 310, 250, (480, 640))
    across, down = rays(camera, (height, width))
    v, u = np.indices((height, width))
    points = np.stack([across[u] * 7, down[v] * 7, np.full(u.shape, 7.0)], axis=-1).reshape(-1, 3)
    rows, columns, inside = project(camera, points.astype(np.float64), (height, width))
    assert inside.all()
    np.testing.assert_array_equal(rows, v.ravel())
    np.testing.assert_array_equal(columns, u.ravel())


@pytest.mark.parametrize("lens", [(), PLUMB_BOB, FISHEYE], ids=["none", "plumb_bob", "fisheye"])
@pytest.mark.parametrize("size", [(480, 640), (120, 160), (33, 44)])
def test_a_pixels_direction_leads_back_to_it(lens: tuple[float, ...], size: tuple[int, int]) -> None:
    camera = Pinhole(500, 510, 310, 250, (480, 640), lens, lens == FISHEYE)
    found = directions(camera, size)
    assert found.shape == (*size, 2)
    assert np.isfinite(found).all()
    points = np.concatenate([found, np.ones((*size, 1))], axis=2).reshape(-1, 3) * 7.0
    rows, columns, inside = project(camera, points, size)
    v, u = np.indices(size)
    assert inside.all()
    np.testing.assert_array_equal(rows, v.ravel())
    np.testing.assert_array_equal(columns, u.ravel())


def test_pixels_that_no_direction_reaches_are_unknown() -> None:
    # r (1 - 0.3 r²) is 0.70 at most: nothing is seen further from the middle than 0.70 · 300 pixels.
    camera = Pinhole(300, 300, 319.5, 239.5, (480, 640), (-0.3, 0.0, 0.0, 0.0))
    known = np.isfinite(directions(camera, (480, 640))[..., 0])
    v, u = np.indices((480, 640))
    radius = np.hypot(v - 239.5, u - 319.5)
    assert known[radius < 200].all()
    assert not known[radius > 212].any()
