"""The program ``points_node``: class and confidence of every point that a depth camera sees.

In: ``segmentation/mask``, ``segmentation/confidence``, and ``depth/image`` with ``depth/camera_info``, or
``points``. Out: ``segmentation/points``, a cloud with the fields x, y, z, label and confidence, organised
like the mask. Frame and stamp are those of the depth, at whose moment the points were there. Where the
segmentation node turns its images, the points are put in the mask's order; where they are does not change.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

from kd_seg_ros.clouds.cloud_message import CloudMessage
from kd_seg_ros.clouds.depth import DepthError, depth_in_metres, points_of_cloud
from kd_seg_ros.clouds.inputs import Input
from kd_seg_ros.clouds.labelled_cloud import DepthProjection, points_at_size
from kd_seg_ros.clouds.map_listener import MapListener, make_node, spin
from kd_seg_ros.clouds.maps import confidence_of, mask_of
from kd_seg_ros.clouds.matching import Match, StampMatcher
from kd_seg_ros.clouds.parameters import PointsParameters
from kd_seg_ros.clouds.pinhole import Pinhole, rectified_pinhole
from kd_seg_ros.common.parser import Parser
from kd_seg_ros.common.topics import POINTS
from kd_seg_ros.node.parameter_declaration import declare_table
from kd_seg_ros.node.program import run_program
from kd_seg_ros.node.qos import create_output

NAME: Final = "points"
DEPTH_IMAGE: Final = "depth/image"
DEPTH_INFO: Final = "depth/camera_info"
CLOUD: Final = "points"


class LabelledPoints(MapListener):
    """Publishes clouds on a node, while somebody subscribes to them."""

    def __init__(self, node: Node, settings: PointsParameters) -> None:
        """Make the topics.

        :raises UserError: for a QoS override that cannot be used.
        """
        matcher = StampMatcher(
            tolerance=round(settings.max_stamp_difference_s * 1e9),
            max_bytes=settings.max_kept_megabytes * 10**6,
            with_depth=True,
        )
        self._publisher = create_output(node, POINTS)
        self._settings = settings
        self._info: CameraInfo | None = None
        self._projection: DepthProjection | None = None
        self._cloud = CloudMessage()
        super().__init__(node, matcher, NAME, [self._publisher])
        if settings.source == "depth":
            self.inputs.append(Input(node, Image, DEPTH_IMAGE, self.take_depth))
            self.inputs.append(Input(node, CameraInfo, DEPTH_INFO, self._take_info))
        else:
            self.inputs.append(Input(node, PointCloud2, CLOUD, self.take_depth))

    def work(self, match: Match) -> None:
        """Publish the cloud of one frame.

        :raises ValueError: for maps, a depth or a calibration that cannot be used.
        """
        mask, confidence = mask_of(match.mask), confidence_of(match.confidence)
        size = mask.shape[0], mask.shape[1]
        if confidence.shape != size:
            raise ValueError("mask and confidence differ in size")
        # The camera's picture has this size where the maps have theirs.
        size_before_turn = size if self._settings.rotate in (0, 180) else size[::-1]
        if self._settings.source == "depth":
            depth = depth_in_metres(match.depth)
            coordinates = self._projected((depth.shape[0], depth.shape[1]), size_before_turn).points(depth)
        else:
            coordinates = points_at_size(points_of_cloud(match.depth), size_before_turn)
        turned = np.rot90(coordinates, -self._settings.rotate // 90)
        self._publisher.publish(self._cloud.filled(match.depth.header, turned, mask, confidence))

    def why_no_match(self) -> str:
        """Say why mask, confidence and depth do not come together."""
        gap = self.matcher.gap()
        if gap is None:
            return super().why_no_match()
        allowed = self._settings.max_stamp_difference_s
        return (
            f"the nearest depth is {gap * 1e-9:.3f} s from the mask, and max_stamp_difference_s allows "
            f"{allowed:g}: synchronise the cameras, or allow more"
        )

    def _take_info(self, info: CameraInfo) -> None:
        self._info = info

    def _projected(self, depth_size: tuple[int, int], size: tuple[int, int]) -> DepthProjection:
        """Return the projection for these sizes, (height, width), and the newest calibration."""
        info = self._info
        if info is None:
            raise DepthError(f"no calibration has come on {self.inputs[-1].topic}")
        camera: Pinhole = rectified_pinhole(info)
        known = self._projection
        if known is None or (known.camera, known.depth_size, known.size) != (camera, depth_size, size):
            self._projection = known = DepthProjection(camera, depth_size, size)
        return known


def main(args: list[str] | None = None) -> int:
    """Run the node until it is told to stop; return the exit status."""
    description = (
        "Give each point of a depth camera its class. Parameters and topics are set in the usual ROS 2 way, "
        "after --ros-args; see docs/nav2.md."
    )
    return run_program(Parser("points_node", description, quiet=False), _run, args)


def _run(_options: argparse.Namespace, arguments: Sequence[str]) -> int:
    return spin(lambda: make(arguments))


def make(arguments: Sequence[str] = (), context: Any = None) -> tuple[Node, LabelledPoints]:
    """Make the node and what listens on it.

    :param arguments: the whole command line, whose parameter files are looked at.
    :raises UserError: for a parameter that is wrong.
    """
    node = make_node(NAME, arguments, context)
    return node, LabelledPoints(node, declare_table(node, PointsParameters))


if __name__ == "__main__":
    sys.exit(main())
