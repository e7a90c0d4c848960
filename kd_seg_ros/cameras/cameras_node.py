"""The program ``cameras_node``: a segmentation node per camera of a list, all in one process.

The nodes have the names, topics, parameters and services that they have as processes of their own. Those with
the same model file and settings share one network (:mod:`kd_seg_ros.inference.shared_engine`), so that its
weights and a GPU's context are in memory once. A process per camera isolates them instead: here they end
together.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from rclpy.executors import SingleThreadedExecutor
from rclpy.logging import get_logger
from rclpy.parameter import Parameter

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.option_types import not_negative
from kd_seg_ros.common.parser import Parser
from kd_seg_ros.common.share import share_path
from kd_seg_ros.common.topics import IMAGE
from kd_seg_ros.inference.providers import PROVIDERS
from kd_seg_ros.inference.shared_engine import SharedEngines
from kd_seg_ros.launching.camera_list import CameraEntry, absolute_overrides, read_cameras
from kd_seg_ros.launching.names import check_namespace, full_namespace
from kd_seg_ros.node.lifecycle_node import LifecycleSegmentationNode
from kd_seg_ros.node.program import prepare_machine, run_program, spin_until_told
from kd_seg_ros.node.ros_log_handler import forward_logs
from kd_seg_ros.node.segmentation_node import NAME, SegmentationNode

CAMERAS_NODE: Final = "cameras_node"
"""Name of the program, and of what it logs itself."""
FOR_ALL: Final = ("provider", "active", "use_sim_time", "batch", "batch_wait_ms")
"""Parameters that options of the command line set for all cameras."""
_FLAGS: Final = ("use_sim_time", "batch")
"""Those that are true or false."""


def main(args: list[str] | None = None) -> int:
    """Run the nodes until SIGINT, SIGTERM or SIGHUP.

    :return: 0; 2 for a mistake in what the user gave; 1 if a network fails for good.
    """
    return run_program(_parser(), _run, args)


def _parser() -> Parser:
    parser = Parser(
        CAMERAS_NODE,
        "Segment the images of several cameras in one process; those with the same model share one network.",
        quiet=False,
    )
    parser.add_argument(
        "--cameras", type=Path, required=True, metavar="FILE", help="YAML list like config/cameras.yaml"
    )
    parser.add_argument(
        "--namespace", default="", metavar="NS", help="put before the cameras' own namespaces"
    )
    parser.add_argument("--provider", choices=tuple(PROVIDERS), help="where all networks run")
    parser.add_argument(
        "--active", choices=("auto", "always"), help="segment while somebody listens, or every image"
    )
    parser.add_argument("--use-sim-time", choices=("true", "false"), help="take the time from /clock")
    parser.add_argument(
        "--batch", choices=("true", "false"), help="let waiting images go through a shared network together"
    )
    parser.add_argument(
        "--batch-wait-ms",
        type=not_negative,
        metavar="MS",
        help="with --batch: let an image wait so long for those of the other cameras",
    )
    parser.add_argument("--lifecycle", action="store_true", help="start the nodes as managed nodes")
    return parser


def _run(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Make the nodes and spin them until they are told to stop; return the exit status."""
    if options.namespace:
        check_namespace(f"--namespace {options.namespace}", options.namespace.rstrip("/"))
    cameras = read_cameras(options.cameras)
    executor = SingleThreadedExecutor()  # first: made after a signal, it would complain of its clean-up
    logger = get_logger(CAMERAS_NODE)
    for line in prepare_machine():
        logger.info(line)
    with ExitStack() as undo:  # what was made, if a later camera cannot be
        nodes = []
        engines = SharedEngines()
        for camera in cameras:
            namespace = _namespace(camera.name, options.namespace, arguments)
            node = _make_node(camera, namespace, options, engines)
            undo.callback(node.destroy_node)
            undo.callback(node.stop)
            nodes.append(node)
        undo.pop_all()
    forward_logs(logger)  # of the library, which does not know for which camera it works
    if not options.lifecycle:  # whose nodes have none yet
        logger.info(f"cameras: {len(nodes)}, networks in memory: {len(engines)}")

    def stop() -> None:
        for node in nodes:
            node.stop()

    spin_until_told(nodes, executor, stop)
    troubles = [f"{node.get_fully_qualified_name()}: {node.failure}" for node in nodes if node.failure]
    for trouble in troubles:
        print(f"error: {trouble}", file=sys.stderr)
    return 1 if troubles else 0


def _namespace(camera: str, before: str, arguments: Sequence[str]) -> str:
    """Return the absolute namespace of a camera's node, as it has it in a process of its own.

    :param camera: name in the list; one with a leading slash stands alone.
    :param before: value of ``--namespace``, which is put before all names.
    :param arguments: the whole command line; ``-r __ns:=/car`` says in which namespace the program is.
    """
    given = [word.partition(":=")[2] for word in arguments if word.startswith("__ns:=")]
    name = f"{before.rstrip('/')}/{camera.strip('/')}" if before else camera
    return full_namespace(given[-1] if given else "", name)


def _make_node(
    camera: CameraEntry, namespace: str, options: argparse.Namespace, engines: SharedEngines
) -> SegmentationNode | LifecycleSegmentationNode:
    """Make a camera's node; raises UserError that names the camera.

    :param namespace: absolute.
    """
    kind = LifecycleSegmentationNode if options.lifecycle else SegmentationNode
    file = camera.params_file or share_path("config/segmentation.yaml")
    arguments = ["--ros-args", "--params-file", str(file)]
    arguments += ["-r", f"__node:={NAME}", "-r", f"__ns:={namespace}", "-r", f"{IMAGE}:={camera.image}"]
    parameters = absolute_overrides(camera.parameters, namespace)
    for name in FOR_ALL:
        value = getattr(options, name)
        if value is not None:
            parameters[name] = value == "true" if name in _FLAGS else value
    try:
        return kind(NAME, arguments, engines, cli_args=arguments, parameter_overrides=_overrides(parameters))
    except UserError as error:
        raise UserError(f"camera {camera.name!r}: {error}") from error


def _overrides(parameters: Mapping[str, Any], group: str = "") -> list[Parameter[Any]]:
    """Return parameters as rclpy takes them: the name of a group stands before a dot."""
    overrides: list[Parameter[Any]] = []
    for name, value in parameters.items():
        if isinstance(value, Mapping):
            overrides += _overrides(value, f"{group}{name}.")
        else:
            overrides.append(Parameter(f"{group}{name}", value=value))
    return overrides


if __name__ == "__main__":
    sys.exit(main())
