"""Nodes that work with a segmentation node's maps, started next to it in its namespace by a launch file.

Functions import ``launch_ros``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.share import PACKAGE
from kd_seg_ros.common.topics import CAMERA_INFO
from kd_seg_ros.launching.names import check_image_topic, full_topic
from kd_seg_ros.node.parameter_files import value_for

if TYPE_CHECKING:
    from launch.action import Action
    from launch.events.process import ProcessExited
    from launch.launch_context import LaunchContext
    from launch_ros.actions import Node

GROUND_FRAME: Final = "base_footprint"
"""Frame of ground_node's grid where its parameters name none."""
_RAW: Final = "compressed depths are not read"


@dataclass(frozen=True)
class CompanionProcess:
    """How the process of such a node is started."""

    namespace: str
    use_sim_time: bool
    environment: Mapping[str, str]
    """Variables that are added to those of the launch."""
    on_exit: Callable[[ProcessExited, LaunchContext], list[Action]]
    """Called when the process has ended; returns what happens then."""


def points_action(process: CompanionProcess, *, depth: str, points: str, rotate: Any) -> Node:
    """Return the action that starts points_node.

    :param depth: topic of aligned depth images, with ``camera_info`` next to it; or empty.
    :param points: topic of aligned clouds; or empty. One of the two is given.
    :param rotate: the segmentation node's parameter; None: it has its default.
    :raises UserError: if both are given, or one is no name of a topic.
    """
    if depth and points:
        raise UserError("depth:=… and points:=…: one of the two, since a point has one place")
    name, topic = ("depth", depth) if depth else ("points", points)
    check_image_topic(f"{name}:={topic}", topic, _RAW)
    remappings = [("points", points)]
    if depth:
        remappings = [("depth/image", depth), ("depth/camera_info", camera_info_next_to(depth))]
    return _node(process, "points", {"source": name, **_turn(rotate)}, remappings, ())


def ground_action(process: CompanionProcess, *, image: str, params_file: Path | None, rotate: Any) -> Node:
    """Return the action that starts ground_node.

    :param image: the camera's image topic; its calibration is next to it.
    :param params_file: YAML file with the node's parameters, which exists; None: they have their defaults.
    :param rotate: the segmentation node's parameter; None: it has its default.
    """
    remappings = [(CAMERA_INFO, camera_info_next_to(image))]
    files = () if params_file is None else (str(params_file),)
    return _node(process, "ground", _turn(rotate), remappings, files)


def frames_in_space(given: Mapping[str, str], namespace: str) -> dict[str, str]:
    """Return the frames of what is put into space, by its name in RViz; empty: not known.

    :param given: the launch file's arguments, checked.
    :param namespace: of the nodes, absolute.
    """
    frames = {}
    if given["depth"] or given["points"]:
        frames["Points"] = ""
    if given["ground"]:
        file = Path(given["ground"]).expanduser()
        frame = value_for(str(file), full_topic(namespace, "ground", "ground"), "frame_id")
        frames["Ground"] = str(frame or GROUND_FRAME)
    return frames


def _turn(rotate: Any) -> dict[str, Any]:
    """Return the parameter that tells a node how the segmentation node's maps are turned."""
    return {} if rotate is None else {"rotate": rotate}


def camera_info_next_to(topic: str) -> str:
    """Return the topic of the calibration that belongs to an image topic, as image_transport has it."""
    folder, slash, _ = topic.rpartition("/")
    return f"{folder}{slash}{CAMERA_INFO}"


def _node(
    process: CompanionProcess,
    name: str,
    parameters: Mapping[str, Any],
    remappings: list[tuple[str, str]],
    files: tuple[str, ...],
) -> Node:
    """Return the action that starts ``<name>_node``."""
    from launch_ros.actions import Node

    return Node(
        package=PACKAGE,
        executable=f"{name}_node",
        name=name,
        namespace=process.namespace,
        parameters=[*files, {**parameters, "use_sim_time": process.use_sim_time}],
        remappings=remappings,
        additional_env=dict(process.environment),
        output="screen",
        on_exit=process.on_exit,
    )
