"""Masks in the form in which Autoware's perception exchanges them. No ROS in here.

Autoware's ``segmentation_pointcloud_fusion`` removes the points of a lidar that lie on the road or on
buildings in the image. It reads a ``sensor_msgs/Image`` of encoding mono8 whose data are not pixels but runs,
row after row without a break at the rows' ends: one byte with the class, four with the number of pixels
(int32, little endian), as ``autoware_tensorrt_yolox`` writes them. Names and numbers of its classes follow
the sources of autoware_universe, ``segmentation_pointcloud_fusion/node.hpp``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

AUTOWARE_CLASSES: Final = (
    "UNKNOWN",
    "BUILDING",
    "WALL",
    "OBSTACLE",
    "TRAFFIC_LIGHT",
    "TRAFFIC_SIGN",
    "PERSON",
    "VEHICLE",
    "BIKE",
    "ROAD",
    "SIDEWALK",
    "ROAD_PAINT",
    "CURBSTONE",
    "CROSSWALK",
    "VEGETATION",
    "SKY",
)
"""Autoware's classes by their number in a mask."""

MEANING: Final = {
    "road": "ROAD",
    "sidewalk": "SIDEWALK",
    "pavement": "SIDEWALK",
    "building": "BUILDING",
    "wall": "WALL",
    "fence": "WALL",
    "pole": "OBSTACLE",
    "traffic light": "TRAFFIC_LIGHT",
    "traffic sign": "TRAFFIC_SIGN",
    "sign": "TRAFFIC_SIGN",
    "vegetation": "VEGETATION",
    "tree": "VEGETATION",
    "terrain": "VEGETATION",
    "sky": "SKY",
    "person": "PERSON",
    "pedestrian": "PERSON",
    "rider": "PERSON",
    "bicyclist": "BIKE",
    "car": "VEHICLE",
    "truck": "VEHICLE",
    "bus": "VEHICLE",
    "train": "VEHICLE",
    "motorcycle": "BIKE",
    "bicycle": "BIKE",
}
"""Names of Cityscapes' and CamVid's classes, with Autoware's for the same things."""
RUN: Final = np.dtype([("label", "u1"), ("length", "<i4")])
"""A run in the message's bytes: five of them."""


def autoware_table(class_names: Sequence[str]) -> tuple[NDArray[np.uint8], list[str]]:
    """Return Autoware's number for each value of a mask, [256], and the names that have none.

    What has none, unlabelled pixels (255) included, is UNKNOWN: Autoware keeps the points that lie there.

    :param class_names: names by trainId.
    """
    table = np.zeros(256, np.uint8)
    unknown = []
    for number, name in enumerate(class_names):
        if name in MEANING:
            table[number] = AUTOWARE_CLASSES.index(MEANING[name])
        else:
            unknown.append(name)
    return table, unknown


def runs_of(mask: NDArray[np.uint8]) -> NDArray[np.void]:
    """Return the runs of equal values of a mask [H, W], row after row, [n] of :data:`RUN`."""
    values = np.ascontiguousarray(mask).ravel()
    starts = np.concatenate([[0], np.flatnonzero(values[1:] != values[:-1]) + 1])
    runs = np.empty(len(starts), RUN)
    runs["label"] = values[starts]
    runs["length"] = np.diff(starts, append=values.size)
    return runs
