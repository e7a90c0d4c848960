"""The program ``autoware_node``: masks with Autoware's classes, in runs, for its fusion with lidar points.

In: ``segmentation/mask``. Out: ``segmentation/autoware_mask``, see :mod:`kd_seg_ros.clouds.autoware_mask`.
"""

from __future__ import annotations

import argparse
import sys
from array import array
from collections.abc import Sequence
from typing import Any, Final

from rclpy.node import Node
from sensor_msgs.msg import Image

from kd_seg_ros.clouds.autoware_mask import autoware_table, runs_of
from kd_seg_ros.clouds.drivable import class_list
from kd_seg_ros.clouds.map_listener import MapListener, make_node, spin
from kd_seg_ros.clouds.maps import mask_of
from kd_seg_ros.clouds.matching import Match, StampMatcher
from kd_seg_ros.clouds.parameters import AutowareParameters
from kd_seg_ros.common.encodings import MONO8
from kd_seg_ros.common.parser import Parser
from kd_seg_ros.common.topics import AUTOWARE_MASK
from kd_seg_ros.node.parameter_declaration import declare_table
from kd_seg_ros.node.program import run_program
from kd_seg_ros.node.qos import create_output

NAME: Final = "autoware"


class AutowareMask(MapListener):
    """Publishes masks for Autoware on a node, while somebody subscribes to them."""

    def __init__(self, node: Node, settings: AutowareParameters) -> None:
        """Make the topics.

        :raises UserError: for more class names than a mask has, or a QoS override that cannot be used.
        """
        self._table, unknown = autoware_table(class_list(settings.class_names))
        if unknown:
            node.get_logger().warning(f"Autoware has no class for {', '.join(unknown)}: they become UNKNOWN")
        self._publisher = create_output(node, AUTOWARE_MASK)
        super().__init__(node, StampMatcher(kinds=("mask",)), NAME, [self._publisher])

    def work(self, match: Match) -> None:
        """Publish the mask of one frame.

        :raises ValueError: for a mask that is none.
        """
        mask = mask_of(match.mask)
        height, width = mask.shape
        runs = array("B", runs_of(self._table[mask]).tobytes())
        self._publisher.publish(
            Image(header=match.mask.header, height=height, width=width, encoding=MONO8, step=width, data=runs)
        )


def main(args: list[str] | None = None) -> int:
    """Run the node until it is told to stop; return the exit status."""
    description = (
        "Publish masks as Autoware reads them. Parameters and topics are set in the usual ROS 2 way, after "
        "--ros-args; see docs/autoware.md."
    )
    return run_program(Parser("autoware_node", description, quiet=False), _run, args)


def _run(_options: argparse.Namespace, arguments: Sequence[str]) -> int:
    return spin(lambda: make(arguments))


def make(arguments: Sequence[str] = (), context: Any = None) -> tuple[Node, AutowareMask]:
    """Make the node and what listens on it.

    :param arguments: the whole command line, whose parameter files are looked at.
    :raises UserError: for a parameter that is wrong.
    """
    node = make_node(NAME, arguments, context)
    return node, AutowareMask(node, declare_table(node, AutowareParameters))


if __name__ == "__main__":
    sys.exit(main())
