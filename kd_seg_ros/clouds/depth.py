"""Depth images and organised clouds of ROS messages as NumPy arrays. No ROS in here.

Nothing is taken on trust: sizes and steps that a message states are compared with the bytes it has.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.common.encodings import FLOAT32, shown

MILLIMETRES: Final = ("16UC1", "mono16")
"""Encodings of depths in whole millimetres, 0 where there is none (REP 118)."""
LARGEST_PIXELS: Final = 64_000_000
"""Pixels that a depth image or a cloud may have."""

_FLOATS: Final[dict[int, np.dtype[Any]]] = {7: np.dtype(np.float32), 8: np.dtype(np.float64)}
"""Types of ``sensor_msgs/PointField`` that a coordinate may have."""


class DepthError(ValueError):
    """A depth image or cloud that cannot be used; the message says why."""


def depth_in_metres(message: Any) -> NDArray[np.float32]:
    """Return the depths of a ``sensor_msgs/Image``, float32 [H, W] in metres; NaN where there is none.

    ``16UC1`` (and ``mono16``) are millimetres, ``32FC1`` metres, as REP 118 has it. Depth is along the
    optical axis.

    :raises DepthError: for another encoding, an impossible size, or data that is too short.
    """
    encoding = str(message.encoding)
    kind: np.dtype[Any]
    if encoding in MILLIMETRES:
        kind = np.dtype(np.uint16)
    elif encoding == FLOAT32:
        kind = np.dtype(np.float32)
    else:
        raise DepthError(f"a depth image is 16UC1 (millimetres) or 32FC1 (metres), not {shown(encoding)}")
    height, width, step = int(message.height), int(message.width), int(message.step)
    _check_size(height, width)
    row = width * kind.itemsize
    if step < row:
        raise DepthError(f"step {step} is too small: {width} pixels of {encoding} take {row} bytes")
    _check_length(message, step * (height - 1) + row)
    kind = kind.newbyteorder(">" if message.is_bigendian else "<")
    values = np.ndarray((height, width), kind, buffer=message.data, strides=(step, kind.itemsize))
    if encoding == FLOAT32:
        depth = values.astype(np.float32)
        depth[~(np.isfinite(depth) & (depth > 0))] = np.nan
        return depth
    depth = values.astype(np.float32) * np.float32(1e-3)
    depth[values == 0] = np.nan
    return depth


def points_of_cloud(message: Any) -> NDArray[np.float32]:
    """Return the coordinates of an organised ``sensor_msgs/PointCloud2``, float32 [H, W, 3] in metres.

    Points that the sender left out are NaN in at least one coordinate, and become NaN in all three.

    :raises DepthError: for a cloud without rows, without x, y and z, or with data that is too short.
    """
    height, width = int(message.height), int(message.width)
    _check_size(height, width)
    if height == 1:
        raise DepthError(
            f"the cloud of {width} points has no rows: an organised one is needed, with a point per pixel"
        )
    step, row = int(message.point_step), int(message.row_step)
    if row < step * width:
        raise DepthError(f"row_step {row} is too small: {width} points of {step} bytes take {step * width}")
    _check_length(message, row * (height - 1) + step * width)
    points = np.empty((height, width, 3), np.float32)
    for axis, name in enumerate("xyz"):
        kind, offset = _coordinate(message, name, step)
        points[..., axis] = np.ndarray(
            (height, width), kind, buffer=message.data, offset=offset, strides=(row, step)
        )
    points[~np.isfinite(points).all(axis=2)] = np.nan
    return points


def _coordinate(message: Any, name: str, step: int) -> tuple[np.dtype[Any], int]:
    """Return type and offset (bytes) of a coordinate within a point of ``step`` bytes."""
    field = next((field for field in message.fields if field.name == name), None)
    if field is None:
        there = ", ".join(shown(str(field.name)) for field in message.fields[:8]) or "none"
        raise DepthError(f"the cloud has no field {name!r}; its fields: {there}")
    kind = _FLOATS.get(int(field.datatype))
    if kind is None:
        raise DepthError(
            f"the cloud's field {name!r} is of type {field.datatype}, not FLOAT32 (7) or FLOAT64 (8)"
        )
    offset = int(field.offset)
    if offset + kind.itemsize > step:
        raise DepthError(
            f"the cloud's field {name!r} at byte {offset} does not fit into points of {step} bytes"
        )
    return kind.newbyteorder(">" if message.is_bigendian else "<"), offset


def _check_size(height: int, width: int) -> None:
    """Refuse a size without pixels or with too many."""
    if not 0 < height * width <= LARGEST_PIXELS:
        raise DepthError(f"{width}×{height} pixels: must be 1 to {LARGEST_PIXELS / 1e6:g} megapixels")


def _check_length(message: Any, needed: int) -> None:
    """Refuse a message with fewer bytes than its size takes."""
    if len(message.data) < needed:
        raise DepthError(
            f"the data is too short: {message.width}×{message.height} takes {needed} bytes, "
            f"not {len(message.data)}"
        )
