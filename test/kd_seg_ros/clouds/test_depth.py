"""Depths and clouds of messages: values, padding, byte orders, and what is refused."""

from __future__ import annotations

import struct
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from kd_seg_ros.clouds.depth import DepthError, depth_in_metres, points_of_cloud

FIELD = {"x": 0, "y": 4, "z": 8}


def depth_message(values: Any, encoding: str, order: str = "<", pad: int = 0) -> Any:
    code = "H" if encoding in ("16UC1", "mono16") else "f"
    height, width = len(values), len(values[0])
    data = b""
    for row in values:
        data += struct.pack(f"{order}{width}{code}", *row) + b"\xff" * pad
    step = width * struct.calcsize(code) + pad
    return SimpleNamespace(
        height=height, width=width, encoding=encoding, step=step, is_bigendian=order == ">", data=data
    )


def cloud_message(points: Any, code: str = "f", order: str = "<", extra: int = 0, pad: int = 0) -> Any:
    """A cloud of [H][W] points (x, y, z), with ``extra`` bytes per point and ``pad`` per row."""
    size = struct.calcsize(code)
    data = b""
    for row in points:
        for point in row:
            data += struct.pack(f"{order}3{code}", *point) + b"\x55" * extra
        data += b"\xaa" * pad
    step = 3 * size + extra
    kind = {"f": 7, "d": 8}[code]
    fields = [
        SimpleNamespace(name=name, offset=size * axis, datatype=kind, count=1)
        for axis, name in enumerate("xyz")
    ]
    return SimpleNamespace(
        height=len(points),
        width=len(points[0]),
        fields=fields,
        point_step=step,
        row_step=step * len(points[0]) + pad,
        is_bigendian=order == ">",
        data=data,
    )


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("pad", [0, 3])
@pytest.mark.parametrize("encoding", ["16UC1", "mono16", "32FC1"])
def test_depths_are_metres_with_gaps(encoding: str, order: str, pad: int) -> None:
    unit = 1 if encoding == "32FC1" else 1000
    gap = float("inf") if encoding == "32FC1" else 0
    given = [[1 * unit, 2 * unit, gap], [0, 40 * unit, 3 * unit]]
    depth = depth_in_metres(depth_message(given, encoding, order, pad))
    assert depth.dtype == np.float32
    np.testing.assert_allclose(depth, [[1, 2, np.nan], [np.nan, 40, 3]], rtol=1e-6)


def test_depths_that_are_no_numbers_or_negative_are_gaps() -> None:
    depth = depth_in_metres(depth_message([[float("nan"), -1.0, float("-inf"), 2.0]], "32FC1"))
    np.testing.assert_array_equal(np.isnan(depth), [[True, True, True, False]])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoding": "rgb8"}, "16UC1 .millimetres. or 32FC1 .metres., not 'rgb8'"),
        ({"step": 3}, "step 3 is too small"),
        ({"data": b"1234"}, "data is too short"),
        ({"height": 0}, "must be 1 to"),
        ({"width": 2**31, "height": 2**31, "step": 2**33}, "must be 1 to"),
    ],
)
def test_a_depth_image_that_is_none_is_refused(changes: dict[str, Any], message: str) -> None:
    given = depth_message([[1, 2], [3, 4]], "16UC1")
    vars(given).update(changes)
    with pytest.raises(DepthError, match=message):
        depth_in_metres(given)


@pytest.mark.parametrize("code", "fd")
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(("extra", "pad"), [(0, 0), (4, 0), (5, 7)])
def test_the_points_of_a_cloud_are_read(code: str, order: str, extra: int, pad: int) -> None:
    nan = float("nan")
    given = [[(1, 2, 3), (4, 5, 6)], [(7, 8, nan), (-1, -2, 0.5)]]
    points = points_of_cloud(cloud_message(given, code, order, extra, pad))
    np.testing.assert_array_equal(points, [[(1, 2, 3), (4, 5, 6)], [(nan, nan, nan), (-1, -2, 0.5)]])


def without_z(cloud: Any) -> None:
    cloud.fields = cloud.fields[:2]


def of_integers(cloud: Any) -> None:
    cloud.fields[1].datatype = 4


def beyond_the_point(cloud: Any) -> None:
    cloud.fields[2].offset = 2**31


def in_one_row(cloud: Any) -> None:
    cloud.height, cloud.width, cloud.row_step = 1, 4, 48


def cut_short(cloud: Any) -> None:
    cloud.data = cloud.data[:-1]


def with_short_rows(cloud: Any) -> None:
    cloud.row_step = 5


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (without_z, "no field 'z'; its fields: 'x', 'y'"),
        (of_integers, "'y' is of type 4"),
        (beyond_the_point, "does not fit into points of 12 bytes"),
        (in_one_row, "an organised one is needed"),
        (cut_short, "data is too short"),
        (with_short_rows, "row_step 5 is too small"),
    ],
)
def test_a_cloud_that_cannot_be_used_is_refused(damage: Any, message: str) -> None:
    cloud = cloud_message([[(1, 2, 3)] * 2] * 2)
    damage(cloud)
    with pytest.raises(DepthError, match=message):
        points_of_cloud(cloud)
