"""The pinhole model of ``sensor_msgs/CameraInfo``: from pixels to points, and back. No ROS in here.

Points lie in the camera's optical frame (REP 103): x right, y down, z forward, in metres. Pixel centres lie
at whole coordinates. A picture of W columns that shows the same as one of W' columns has its column u at
u' = (u + ½) · W' / W − ½, and likewise for rows.

A calibration is that of the whole sensor. Where it states a region of interest, the image is this region: its
pixels are counted from the region's corner. A binned image is one of another size that shows the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.node.camera_info import region_camera_info

FISHEYE: Final = "equidistant"
"""Name of the distortion model that OpenCV calls fisheye."""
MODELS: Final = ("", "plumb_bob", "rational_polynomial", FISHEYE)
"""Distortion models that are known, by ROS's names; empty: no distortion."""


class CalibrationError(ValueError):
    """A camera's calibration that cannot be used; the message says why."""


@dataclass(frozen=True)
class Pinhole:
    """A camera's focal lengths and principal point, in pixels of an image of ``size``."""

    fx: float
    fy: float
    cx: float
    cy: float
    size: tuple[int, int]
    """(height, width) of the image, in pixels."""
    distortion: tuple[float, ...] = ()
    """Coefficients of the lens; empty for a rectified image."""
    fisheye: bool = False
    """The coefficients are those of the equidistant model."""


def pinhole(info: Any) -> Pinhole:
    """Read the calibration of the image that a ``sensor_msgs/CameraInfo`` comes with, lens included.

    :raises CalibrationError: for a camera that is not calibrated, numbers that are none, a region that is not
        on the sensor, or a distortion model that is not one of :data:`MODELS`.
    """
    info = _of_region(info)
    fx, fy, cx, cy = float(info.k[0]), float(info.k[4]), float(info.k[2]), float(info.k[5])
    _check_matrix((fx, fy, cx, cy), info, "K[0] and K[4]")
    coefficients = np.array(info.d, np.float64)
    if not np.isfinite(coefficients).all():
        raise CalibrationError("camera_info's distortion D has values that are no numbers")
    model = str(info.distortion_model)
    if coefficients.any() and model not in MODELS[1:]:
        raise CalibrationError(
            f"camera_info's distortion_model {model!r:.40} is not one of {', '.join(MODELS[1:])}: use a "
            "rectified image, with the camera_info of image_proc"
        )
    lens = tuple(coefficients.tolist()) if coefficients.any() else ()
    _check_coefficients(lens, model)
    return Pinhole(fx, fy, cx, cy, (int(info.height), int(info.width)), lens, model == FISHEYE)


def rectified_pinhole(info: Any) -> Pinhole:
    """Read the calibration of the rectified image that a ``sensor_msgs/CameraInfo`` comes with: P, no lens.

    Where P is left empty, as drivers of cameras without distortion do, K is taken.

    :raises CalibrationError: for a camera that is not calibrated, or a region that is not on the sensor.
    """
    info = _of_region(info)
    fx, fy, cx, cy = float(info.p[0]), float(info.p[5]), float(info.p[2]), float(info.p[6])
    if not fx and not fy:
        fx, fy, cx, cy = float(info.k[0]), float(info.k[4]), float(info.k[2]), float(info.k[5])
    _check_matrix((fx, fy, cx, cy), info, "P[0] and P[5], or K[0] and K[4]")
    return Pinhole(fx, fy, cx, cy, (int(info.height), int(info.width)))


def _of_region(info: Any) -> Any:
    """Return the calibration of the part of the sensor that is read.

    :raises CalibrationError: for a region that is not on the sensor.
    """
    roi = info.roi
    if roi.x_offset + roi.width > info.width or roi.y_offset + roi.height > info.height:
        raise CalibrationError(
            f"camera_info's roi of {roi.width}×{roi.height} at ({roi.x_offset}, {roi.y_offset}) is not on "
            f"its sensor of {info.width}×{info.height}"
        )
    return region_camera_info(info)


def _check_matrix(values: tuple[float, float, float, float], info: Any, names: str) -> None:
    """Refuse focal lengths that are none, and a calibration of no image."""
    usable = np.isfinite(values).all() and values[0] > 0 and values[1] > 0
    if not usable or not info.width or not info.height:
        raise CalibrationError(
            f"camera_info is not calibrated: it needs a width, a height and focal lengths above 0 ({names})"
        )


def _check_coefficients(lens: tuple[float, ...], model: str) -> None:
    """Refuse a number of coefficients that the model does not have."""
    allowed = (4,) if model == FISHEYE else (4, 5, 8, 12, 14)
    if lens and len(lens) not in allowed:
        counts = ", ".join(map(str, allowed))
        raise CalibrationError(f"camera_info's D has {len(lens)} coefficients; {model} has {counts}")


def rays(camera: Pinhole, size: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return what a pixel's x and y grow by per metre of depth: x = a[u] · z and y = b[v] · z.

    For a rectified image: the lens is left out.

    :param size: (height, width) of a picture that shows the same as the camera's image.
    :return: a, float32 [W], and b, float32 [H].
    """
    columns = at_other_size(np.arange(size[1]), size[1], camera.size[1])
    rows = at_other_size(np.arange(size[0]), size[0], camera.size[0])
    across = (columns - camera.cx) / camera.fx
    down = (rows - camera.cy) / camera.fy
    return across.astype(np.float32), down.astype(np.float32)


@lru_cache(maxsize=2)
def directions(camera: Pinhole, size: tuple[int, int]) -> NDArray[np.float32]:
    """Return where a pixel looks, through the lens: (x, y) at z = 1 in the optical frame, [H, W, 2].

    NaN where the lens' polynomial has no inverse. Not to be written to: it is kept.

    :param size: (height, width) of a picture that shows the same as the camera's image.
    """
    columns = at_other_size(np.arange(size[1]), size[1], camera.size[1])
    rows = at_other_size(np.arange(size[0]), size[0], camera.size[0])
    found = np.empty((*size, 2), np.float32)
    for row, values in zip(rows, found, strict=True):  # one by one: whole images in float64 are large
        pixels = np.stack([columns, np.full(size[1], row)], axis=1)
        seen = _back_through_lens(camera, pixels)
        points = np.concatenate([seen, np.ones((size[1], 1))], axis=1)
        again = np.abs(_through_lens(camera, points) - pixels).max(axis=1)
        seen[~((again < 0.5) & _where_lens_is_valid(camera, points))] = np.nan
        values[:] = seen
    found.flags.writeable = False
    return found


def at_other_size(positions: NDArray[Any], length: int, other: int) -> NDArray[np.float64]:
    """Return where positions (in pixels) of a picture's side lie in the same picture with another length."""
    return (positions + 0.5) * (other / length) - 0.5


def project(
    camera: Pinhole, points: NDArray[np.float64], size: tuple[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Return the pixel in which each point is seen, through the lens.

    :param points: [n, 3] in the optical frame, in metres.
    :param size: (height, width) of a picture that shows the same as the camera's image.
    :return: rows [n], columns [n], and whether the point is in the picture [n]; 0 where it is not.
    """
    ahead = points[:, 2] > 1e-6
    safe = np.where(ahead[:, None], points, [0.0, 0.0, 1.0])
    pixels = _through_lens(camera, safe)
    columns = np.rint(at_other_size(pixels[:, 0], camera.size[1], size[1]))
    rows = np.rint(at_other_size(pixels[:, 1], camera.size[0], size[0]))
    inside = ahead & (columns >= 0) & (columns < size[1]) & (rows >= 0) & (rows < size[0])
    return (
        np.where(inside, rows, 0).astype(np.int64),
        np.where(inside, columns, 0).astype(np.int64),
        inside & _where_lens_is_valid(camera, safe),
    )


def _through_lens(camera: Pinhole, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (column, row) of points [n, 3] that lie ahead of the camera, in pixels of its image, [n, 2]."""
    if not camera.distortion:
        flat = points[:, :2] / points[:, 2:]
        return flat * [camera.fx, camera.fy] + [camera.cx, camera.cy]
    matrix, lens = _matrix(camera), np.array(camera.distortion)
    if camera.fisheye:
        seen, _ = cv2.fisheye.projectPoints(points[:, None], np.zeros(3), np.zeros(3), matrix, lens)
    else:
        seen, _ = cv2.projectPoints(points[:, None], np.zeros(3), np.zeros(3), matrix, lens)
    return np.asarray(seen, np.float64)[:, 0]


def _back_through_lens(camera: Pinhole, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (x, y) at z = 1 of pixels (column, row) of the camera's image, [n, 2]; wrong where none fits."""
    if not camera.distortion:
        return (pixels - [camera.cx, camera.cy]) / [camera.fx, camera.fy]
    matrix, lens = _matrix(camera), np.array(camera.distortion)
    if camera.fisheye:
        found = cv2.fisheye.undistortPoints(pixels[:, None], matrix, lens)
    else:
        steps = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 40, 1e-4)
        found = cv2.undistortPointsIter(pixels[:, None], matrix, lens, np.eye(3), np.eye(3), steps)
    return np.asarray(found, np.float64)[:, 0]


def _matrix(camera: Pinhole) -> NDArray[np.float64]:
    """Return the camera's matrix K, [3, 3]."""
    return np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1]], np.float64)


def _where_lens_is_valid(camera: Pinhole, points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which points a lens shows where it should.

    A polynomial that fits inside the picture turns back somewhere outside of it, and would show points that
    are far off to the side again in the middle. Valid is what lies within the angle to which it grows.
    """
    if not camera.distortion:
        return np.ones(len(points), np.bool_)
    radius = np.hypot(points[:, 0], points[:, 1]) / points[:, 2]
    return radius < _largest_radius(camera)


@lru_cache(maxsize=4)
def _largest_radius(camera: Pinhole) -> float:
    """Return the distance from the axis, at z = 1, up to which the lens' polynomial grows."""
    steps = np.linspace(0, np.tan(np.radians(85)), 2000)
    line = np.stack([steps, np.zeros_like(steps), np.ones_like(steps)], axis=1)
    grown = _through_lens(camera, line)[:, 0]
    turning = np.flatnonzero(np.diff(grown) <= 0)
    return float(steps[turning[0]] if len(turning) else steps[-1])
