"""The program ``segmentation_node``: the ROS node in its two kinds, and its command line.

The plain node segments from its start to its end. The other kind is a managed node: a lifecycle manager says
when it loads the model and when it subscribes (:mod:`kd_seg_ros.node.lifecycle_node`).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any, Final

from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from kd_seg_ros.common.parser import Parser
from kd_seg_ros.inference.shared_engine import SharedEngines
from kd_seg_ros.node.diagnostics_publisher import DiagnosticsPublisher
from kd_seg_ros.node.given_parameters import given_parameters
from kd_seg_ros.node.lifecycle_node import LifecycleSegmentationNode
from kd_seg_ros.node.program import prepare_machine, run_program, spin_until_told
from kd_seg_ros.node.ros_log_handler import forward_logs
from kd_seg_ros.node.segmentation import Segmentation

NAME: Final = "segmentation"


class SegmentationNode(Node):
    """Segments from its start to its end."""

    def __init__(
        self,
        name: str,
        arguments: Sequence[str] = (),
        engines: SharedEngines | None = None,
        **options: Any,
    ) -> None:
        """Open the model and all topics; the worker runs from here on.

        :param arguments: the whole command line, whose parameter files are looked at.
        :param engines: of the process, where its nodes share their networks.
        :param options: further ones of :class:`rclpy.node.Node`.
        :raises UserError: for a parameter or a model that cannot be used.
        """
        super().__init__(name, **options)
        forward_logs(self.get_logger())
        settings = given_parameters(self, arguments)
        diagnostics = DiagnosticsPublisher(self)
        self.segmentation = Segmentation(self, settings, diagnostics, self.context.try_shutdown, engines)
        self.segmentation.activate()
        self.get_logger().info(f"ready: {self.segmentation.description}")

    @property
    def failure(self) -> str:
        """Why the node has ended without being asked to; empty if it has not."""
        return self.segmentation.failure

    def idleness(self) -> str:
        """Say why no frame has been segmented since the start; empty if one has."""
        return self.segmentation.idleness()

    def stop(self) -> None:
        """End the threads after the frame they are busy with."""
        self.segmentation.deactivate()
        forward_logs(None)


def main(args: list[str] | None = None) -> int:
    """Run the node until SIGINT, SIGTERM or SIGHUP.

    :return: 0; 2 for a mistake in what the user gave; 1 if the network fails for good, or if nothing was
        segmented with ``--expect-frames``.
    """
    return run_program(_parser(), _run, args)


def _parser() -> Parser:
    parser = Parser(
        "segmentation_node",
        "Segment camera images. Parameters and topics are set in the usual ROS 2 way, after "
        "--ros-args; see config/segmentation.yaml and launch/segment.launch.py.",
        quiet=False,
    )
    parser.add_argument(
        "--lifecycle",
        action="store_true",
        help="start as a managed node, which a lifecycle manager configures and activates",
    )
    parser.add_argument(
        "--expect-frames",
        action="store_true",
        help="end with status 1 if no frame has been segmented: for a replayed bag",
    )
    return parser


def _run(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Spin the node until it is told to stop; return the exit status.

    :param options: of :func:`_parser`; with ``expect_frames`` it is an error if no frame has been segmented.
    :param arguments: the whole command line.
    """
    executor = SingleThreadedExecutor()  # first: made after a signal, it would complain of its clean-up
    prepared = prepare_machine()
    kind = LifecycleSegmentationNode if options.lifecycle else SegmentationNode
    node = kind(NAME, arguments)
    for line in prepared:
        node.get_logger().info(line)
    spin_until_told([node], executor, node.stop)
    trouble = node.failure or (node.idleness() if options.expect_frames else "")
    if trouble:
        print(f"error: {trouble}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
