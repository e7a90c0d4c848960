"""Labelled points as a ``sensor_msgs/PointCloud2`` that is filled in place."""

from __future__ import annotations

from array import array
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

from kd_seg_ros.clouds.labelled_cloud import POINT, write_points

FIELDS: Final = (
    ("x", 0, PointField.FLOAT32),
    ("y", 4, PointField.FLOAT32),
    ("z", 8, PointField.FLOAT32),
    ("label", 12, PointField.UINT8),
    ("confidence", 13, PointField.UINT8),
)
"""Names, offsets in bytes and types of the fields of :data:`kd_seg_ros.clouds.labelled_cloud.POINT`."""


class CloudMessage:
    """One message that is used for all frames: a cloud at full resolution has tens of megabytes."""

    def __init__(self) -> None:
        """Begin without a message."""
        self._cloud = PointCloud2()

    def filled(
        self,
        header: Header,
        coordinates: NDArray[np.float32],
        mask: NDArray[np.uint8],
        confidence: NDArray[np.uint8],
    ) -> PointCloud2:
        """Return the message with the points of a frame; the next call overwrites it.

        :param coordinates: [H, W, 3], metres; NaN where nothing is known.
        :param mask: trainId [H, W].
        :param confidence: round(255 · probability) [H, W].
        """
        height, width = mask.shape
        if (self._cloud.height, self._cloud.width) != (height, width):
            self._cloud = _empty(height, width)
        points = np.frombuffer(self._cloud.data, POINT).reshape(height, width)
        write_points(points, coordinates, mask, confidence)
        self._cloud.header = header
        return self._cloud


def _empty(height: int, width: int) -> PointCloud2:
    """Return an organised cloud of this size."""
    return PointCloud2(
        height=height,
        width=width,
        fields=[
            PointField(name=name, offset=offset, datatype=kind, count=1) for name, offset, kind in FIELDS
        ],
        is_bigendian=False,
        point_step=POINT.itemsize,
        row_step=width * POINT.itemsize,
        data=array("B", bytes(height * width * POINT.itemsize)),
        is_dense=False,
    )
