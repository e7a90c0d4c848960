"""The program ``ground_node``: the ground from above, by class, from one camera without depth.

In: ``segmentation/mask``, ``segmentation/confidence`` and the camera's ``camera_info``, or
``segmentation/camera_info`` where the maps are turned or smaller. Out: ``segmentation/ground`` (what can be
driven on), ``segmentation/ground_classes``, and ``segmentation/ground_points``, a point for each pixel as
from a depth camera. The ground is taken as flat; :mod:`kd_seg_ros.clouds.ground_plane` says how wrong that
may be. Height and tilt of the camera are parameters, or come from TF for each image.
"""

from __future__ import annotations

import argparse
import sys
from array import array
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from kd_seg_ros.clouds.camera_pose import CameraPose, tilted_camera
from kd_seg_ros.clouds.camera_transform import CameraTransform
from kd_seg_ros.clouds.cloud_message import CloudMessage
from kd_seg_ros.clouds.drivable import drivable_table
from kd_seg_ros.clouds.ground_plane import Grid, GroundProjection, occupancy
from kd_seg_ros.clouds.ground_points import GroundPoints
from kd_seg_ros.clouds.inputs import Input
from kd_seg_ros.clouds.labelled_cloud import check_same_view
from kd_seg_ros.clouds.map_listener import MapListener, make_node, spin
from kd_seg_ros.clouds.maps import confidence_of, mask_of
from kd_seg_ros.clouds.matching import Match, StampMatcher
from kd_seg_ros.clouds.parameters import GroundParameters
from kd_seg_ros.clouds.pinhole import CalibrationError, Pinhole, pinhole, rectified_pinhole
from kd_seg_ros.common.classes import IGNORE_ID
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.parser import Parser
from kd_seg_ros.common.topics import (
    CAMERA_INFO,
    GROUND,
    GROUND_CLASSES,
    GROUND_POINTS,
    SCALED_CAMERA_INFO,
    message_class,
)
from kd_seg_ros.node.messages import image_message
from kd_seg_ros.node.parameter_declaration import declare_table
from kd_seg_ros.node.program import run_program
from kd_seg_ros.node.qos import create_output

NAME: Final = "ground"
MOST_CELLS: Final = 16_000_000
"""Cells that a grid may have."""


class GroundGrid(MapListener):
    """Publishes grids and points on a node, while somebody subscribes to them."""

    def __init__(self, node: Node, settings: GroundParameters) -> None:
        """Make the topics.

        :raises UserError: for parameters that make no grid or contradict each other, class names that are not
            known, or where TF is needed and tf2_ros is not installed.
        :raises ImportError: where nav_msgs is not installed.
        """
        self._grid = grid_of(settings)
        self._fixed_pose = fixed_pose(settings)
        self._transform = None if self._fixed_pose else CameraTransform(node, settings.frame_id)
        self._drivable = drivable_table(settings.class_names, settings.drivable)
        self._settings = settings
        self._camera_info: CameraInfo | None = None
        self._map_info: CameraInfo | None = None
        self._projection: GroundProjection | None = None
        self._places: GroundPoints | None = None
        self._cloud = CloudMessage()
        self._ground = create_output(node, GROUND)
        self._classes = create_output(node, GROUND_CLASSES)
        self._points = create_output(node, GROUND_POINTS)
        super().__init__(node, StampMatcher(), NAME, [self._ground, self._classes, self._points])
        self._of_camera = Input(node, CameraInfo, CAMERA_INFO, self._take_camera_info)
        self._of_maps = Input(node, CameraInfo, SCALED_CAMERA_INFO.name, self._take_map_info, required=False)
        self.inputs += [self._of_camera, self._of_maps]
        if self._transform is not None:
            self.inputs.append(self._transform)

    def work(self, match: Match) -> None:
        """Publish what is asked for of one frame.

        :raises ValueError: for maps, a calibration or a pose that cannot be used.
        """
        mask, confidence = mask_of(match.mask), confidence_of(match.confidence)
        if confidence.shape != mask.shape:
            raise ValueError("mask and confidence differ in size")
        size = mask.shape[0], mask.shape[1]
        camera = self._camera(size)
        pose = self._pose(match.mask.header)
        header = Header(stamp=match.mask.header.stamp, frame_id=self._settings.frame_id)
        if self._ground.get_subscription_count() or self._classes.get_subscription_count():
            self._publish_grids(self._projected(camera, pose, size), header, mask, confidence)
        if self._points.get_subscription_count():
            coordinates = self._located(camera, pose, size).coordinates
            self._points.publish(self._cloud.filled(header, coordinates, mask, confidence))

    def _publish_grids(
        self,
        projection: GroundProjection,
        header: Header,
        mask: NDArray[np.uint8],
        confidence: NDArray[np.uint8],
    ) -> None:
        classes = projection.look_up(mask, IGNORE_ID)
        if self._ground.get_subscription_count():
            sure = projection.look_up(confidence, 0)
            costs = occupancy(classes, sure, self._drivable, IGNORE_ID)
            self._ground.publish(self._message(header, costs))
        if self._classes.get_subscription_count():
            # Cells run to the left and ahead; in the picture the left is at the left and ahead is up.
            self._classes.publish(image_message(header, np.ascontiguousarray(classes.T[::-1, ::-1])))

    def _take_camera_info(self, info: CameraInfo) -> None:
        self._camera_info = info

    def _take_map_info(self, info: CameraInfo) -> None:
        self._map_info = info

    def _calibration(self) -> CameraInfo:
        """Return the newest calibration: of the maps where the segmentation node publishes it.

        It does so for maps that are turned or smaller. The camera's own is then of another picture: of one
        that stands on its head, for example, and by its size alone that is not seen.

        :raises CalibrationError: if none has come.
        """
        if self._of_maps.publishers():
            given, info = self._of_maps, self._map_info
        else:
            given, info = self._of_camera, self._camera_info
            self._map_info = None  # of a segmentation node that is gone, or has other parameters now
        if info is None:
            raise CalibrationError(f"no calibration has come on {given.topic}")
        return info

    def _pose(self, header: Header) -> CameraPose:
        """Return where the camera of the maps' picture is at the time of a mask."""
        if self._transform is None:
            assert self._fixed_pose is not None
            return self._fixed_pose
        return self._transform.pose(header).turned(self._settings.rotate)

    def _camera(self, size: tuple[int, int]) -> Pinhole:
        """Return the newest calibration, for masks of (height, width)."""
        read = rectified_pinhole if self._settings.rectified else pinhole
        camera: Pinhole = read(self._calibration())
        check_same_view(camera.size, size, "camera_info")
        return camera

    def _projected(self, camera: Pinhole, pose: CameraPose, size: tuple[int, int]) -> GroundProjection:
        """Return the pixels of the grid's cells; of the last frame where nothing has moved."""
        known = self._projection
        if known is None or (known.camera, known.pose, known.size) != (camera, pose, size):
            coarsest = self._settings.coarsest
            self._projection = known = GroundProjection(camera, pose, self._grid, size, coarsest)
        return known

    def _located(self, camera: Pinhole, pose: CameraPose, size: tuple[int, int]) -> GroundPoints:
        """Return the places of a mask's pixels; of the last frame where nothing has moved."""
        known = self._places
        if known is None or (known.camera, known.pose, known.size) != (camera, pose, size):
            self._places = known = GroundPoints(camera, pose, size, self._settings.coarsest)
        return known

    def _message(self, header: Header, costs: NDArray[np.int8]) -> Any:
        """Build a nav_msgs/OccupancyGrid of costs [across, ahead]: its x runs ahead and fastest."""
        message = message_class(GROUND)()
        message.header = header
        message.info.map_load_time = header.stamp
        message.info.resolution = self._grid.cell
        message.info.height, message.info.width = costs.shape
        message.info.origin.position.x, message.info.origin.position.y = self._grid.corner
        message.info.origin.orientation.w = 1.0
        message.data = array("b", costs.tobytes())
        return message


def grid_of(settings: GroundParameters) -> Grid:
    """Return the grid that parameters describe.

    :raises UserError: for a grid without cells or with too many.
    """
    if settings.farthest <= settings.nearest:
        raise UserError(
            f"parameter 'farthest' ({settings.farthest:g}) must be greater than 'nearest' "
            f"({settings.nearest:g})"
        )
    grid = Grid(settings.nearest, settings.farthest, settings.width, settings.cell)
    across, ahead = grid.size
    if across * ahead > MOST_CELLS:
        raise UserError(
            f"the grid has {across}×{ahead} cells, more than {MOST_CELLS / 1e6:g} million: choose a larger "
            "'cell'"
        )
    return grid


def fixed_pose(settings: GroundParameters) -> CameraPose | None:
    """Return the camera's pose that parameters give; None where TF is to tell it.

    :raises UserError: for a tilt or a place without a height.
    """
    names = ("pitch", "roll", "yaw", "camera_x", "camera_y")
    values = [getattr(settings, name) for name in names]
    if settings.camera_height:
        return tilted_camera(settings.camera_height, *values)
    given = [name for name, value in zip(names, values, strict=True) if value]
    if given:
        raise UserError(
            f"parameter '{given[0]}' is set, 'camera_height' is not: set both; or neither, to have the "
            "camera's pose from TF"
        )
    return None


def main(args: list[str] | None = None) -> int:
    """Run the node until it is told to stop; return the exit status."""
    description = (
        "Show the ground from above, by class. Parameters and topics are set in the usual ROS 2 way, after "
        "--ros-args; without camera_height TF tells where the camera is. See docs/nav2.md."
    )
    return run_program(Parser("ground_node", description, quiet=False), _run, args)


def _run(_options: argparse.Namespace, arguments: Sequence[str]) -> int:
    return spin(lambda: make(arguments))


def make(arguments: Sequence[str] = (), context: Any = None) -> tuple[Node, GroundGrid]:
    """Make the node and what listens on it.

    :param arguments: the whole command line, whose parameter files are looked at.
    :raises UserError: for a parameter that is wrong.
    """
    node = make_node(NAME, arguments, context)
    return node, GroundGrid(node, declare_table(node, GroundParameters))


if __name__ == "__main__":
    sys.exit(main())
