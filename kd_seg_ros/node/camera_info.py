"""The camera's calibration for outputs that are smaller than its image, or turned.

A ``sensor_msgs/CameraInfo`` describes the whole sensor; an image may be a part of it (``roi``), binned, or
scaled by a node in between. The steps are: the calibration of the image that came, of the turned image, and
of the maps made from that.
"""

from __future__ import annotations

import copy
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

# Directions on the picture, (right, down), turned clockwise by 0, 90, 180 and 270 degrees.
_TURNED_AXES: Final = {
    0: ((1, 0), (0, 1)),
    90: ((0, -1), (1, 0)),
    180: ((-1, 0), (0, -1)),
    270: ((0, 1), (-1, 0)),
}
_KNOWN_MODELS: Final = ("plumb_bob", "rational_polynomial", "equidistant")
_TILT: Final = slice(12, 14)
"""Coefficients of a tilted sensor in the rational polynomial model."""


def output_camera_info(
    info: Any, image_size: tuple[int, int], degrees: int, output_size: tuple[int, int]
) -> Any | None:
    """Return the calibration of maps made from an image; None if the image is not of this calibration.

    :param info: ``sensor_msgs/CameraInfo`` with a width and a height; left as it is.
    :param image_size: (height, width) of the camera's image, as it came, in pixels.
    :param degrees: the image was turned clockwise by so much.
    :param output_size: (height, width) of the maps, in pixels.
    """
    fitted = image_camera_info(info, image_size)
    if fitted is None:
        return None
    return scaled_camera_info(turned_camera_info(fitted, degrees), output_size)


def image_camera_info(info: Any, size: tuple[int, int]) -> Any | None:
    """Return the calibration of an image of (height, width), of which ``info`` describes the whole sensor.

    The image is the whole sensor, perhaps scaled alike in both directions, or what region of interest and
    binning leave of it. None if it is neither.
    """
    if (info.height, info.width) == size:
        return info
    region = region_camera_info(info)
    left = region.width // max(info.binning_x, 1), region.height // max(info.binning_y, 1)
    if left == size[::-1]:
        return scaled_camera_info(region, size)
    # A pixel more or less comes from rounding.
    if abs(size[1] * info.height - size[0] * info.width) <= max(info.height, info.width):
        return info
    return None


def region_camera_info(info: Any) -> Any:
    """Return the calibration of the region of interest that a ``sensor_msgs/CameraInfo`` states.

    Pixels are counted from the region's corner, and no region is left. Without one it is ``info`` itself.
    """
    roi = info.roi
    if not (roi.x_offset or roi.y_offset or roi.width or roi.height):
        return info
    part = copy.deepcopy(info)
    for matrix, columns in ((part.k, 3), (part.p, 4)):
        if any(matrix):  # all zeros: not calibrated
            matrix[2] -= roi.x_offset
            matrix[columns + 2] -= roi.y_offset
    part.width, part.height = roi.width or info.width, roi.height or info.height
    part.roi.x_offset = part.roi.y_offset = part.roi.width = part.roi.height = 0
    return part


def turned_camera_info(info: Any, degrees: int) -> Any:
    """Return a copy of a ``sensor_msgs/CameraInfo`` for the picture turned clockwise.

    It is the calibration of a camera that is turned about its optical axis. With A the turn of directions, Z
    the same about the axis, and H = [A t] the turn of pixels::

        K' = H K Zᵀ        R' = Z R Zᵀ        P' = [H M Zᵀ, H T]   with P = [M, T]

    Radial coefficients do not change; tangential ones, and those of thin prisms, turn like directions. Of
    other models, and of a tilted sensor, the distortion is left out: its model is empty.

    :param degrees: 0, 90, 180 or 270.
    """
    turned = copy.deepcopy(info)
    if not degrees:
        return turned
    about_axis = turn_about_axis(degrees)
    axes = about_axis[:2, :2]
    corner = np.array([info.width - 1, info.height - 1], np.float64)
    pixels = np.eye(3)
    pixels[:2, :2] = axes
    pixels[:2, 2] = np.maximum(-axes, 0) @ corner  # the corner that becomes the first one

    k, r = np.reshape(info.k, (3, 3)), np.reshape(info.r, (3, 3))
    p = np.reshape(info.p, (3, 4))
    _assign(turned.k, pixels @ k @ about_axis.T)
    _assign(turned.r, about_axis @ r @ about_axis.T)
    _assign(turned.p, np.hstack([pixels @ p[:, :3] @ about_axis.T, pixels @ p[:, 3:]]))
    _turn_distortion(turned, axes)
    if degrees != 180:
        turned.width, turned.height = info.height, info.width
        turned.binning_x, turned.binning_y = info.binning_y, info.binning_x
    _turn_region(turned.roi, info, degrees)
    return turned


def turn_about_axis(degrees: int) -> NDArray[np.float64]:
    """Return Z, [3, 3]: what a picture turned clockwise does to directions of the optical frame.

    :param degrees: 0, 90, 180 or 270.
    """
    turn = np.eye(3)
    turn[:2, :2] = _TURNED_AXES[degrees]
    return turn


def scaled_camera_info(info: Any, size: tuple[int, int]) -> Any:
    """Return a copy of a ``sensor_msgs/CameraInfo`` for the same picture at another size.

    Pixel u of W is at (u + ½) / W of the picture's width, so that with s = W' / W::

        f_x' = s · f_x        c_x' = s · (c_x + ½) − ½        T_x' = s · T_x

    and likewise for rows; distortion and rectification do not depend on the size.

    :param info: calibration of a whole image; a binning it states is taken as part of the scaling.
    :param size: (height, width) to scale to, in pixels.
    """
    scaled = copy.deepcopy(info)
    scaled.height, scaled.width = size
    scaled.binning_x = scaled.binning_y = 0
    along = size[1] / info.width, size[0] / info.height
    # K is 3×3 and P 3×4, both stored row by row: row 0 is scaled along the width, row 1 along the height.
    for matrix, columns in ((scaled.k, 3), (scaled.p, 4)):
        for row, scale in enumerate(along):
            start = row * columns
            for column in range(columns):
                matrix[start + column] *= scale
            if any(matrix):  # all zeros: not calibrated
                matrix[start + 2] += (scale - 1) / 2
    roi = scaled.roi
    roi.x_offset, roi.width = round(roi.x_offset * along[0]), round(roi.width * along[0])
    roi.y_offset, roi.height = round(roi.y_offset * along[1]), round(roi.height * along[1])
    return scaled


def _assign(target: Any, values: NDArray[np.float64]) -> None:
    """Write a matrix into a message's array, row by row; without negative zeros."""
    target[:] = (values + 0.0).ravel()


def _turn_distortion(info: Any, axes: NDArray[np.float64]) -> None:
    """Turn the coefficients of distortion, or leave them out where that is not possible."""
    coefficients = np.array(info.d, np.float64)
    if not coefficients.any():
        return
    if info.distortion_model not in _KNOWN_MODELS or coefficients[_TILT].any():
        info.distortion_model, info.d = "", []
        return
    if info.distortion_model != "equidistant":
        # Pairs (right, down): p2 and p1 of the tangential part, s1 and s3, s2 and s4 of thin prisms.
        for pair in ([3, 2], [8, 10], [9, 11]):
            if max(pair) < len(coefficients):
                coefficients[pair] = axes @ coefficients[pair] + 0.0
    info.d = coefficients.tolist()


def _turn_region(roi: Any, whole: Any, degrees: int) -> None:
    """Turn a region of interest; zeros, which stand for the whole image, stay."""
    if not roi.width or not roi.height:
        return
    x, y, width, height = roi.x_offset, roi.y_offset, roi.width, roi.height
    right, below = whole.width - x - width, whole.height - y - height
    roi.x_offset, roi.y_offset = {90: (below, x), 180: (right, below), 270: (y, right)}[degrees]
    if degrees != 180:
        roi.width, roi.height = height, width
