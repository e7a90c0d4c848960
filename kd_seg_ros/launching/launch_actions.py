"""The processes that the launch files start. Functions import ``launch_ros``: the node does without it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kd_seg_ros.common.share import PACKAGE
from kd_seg_ros.common.topics import IMAGE

if TYPE_CHECKING:
    from launch.action import Action
    from launch.events.process import ProcessExited
    from launch.launch_context import LaunchContext
    from launch_ros.actions import Node

RESPAWN_DELAY_S: Final = 2.0
"""Seconds after which a node that has ended is started again."""


@dataclass(frozen=True)
class NodeProcess:
    """How the process of a segmentation node is started, apart from its topics and parameters."""

    environment: Mapping[str, str]
    """Variables that are added to those of the launch."""
    on_exit: Callable[[ProcessExited, LaunchContext], list[Action]]
    """Called when the process has ended; returns what happens then."""
    respawn: bool = False
    """Start it again after it has ended."""
    lifecycle: bool = False
    """Start the lifecycle variant of the node."""
    expect_frames: bool = False
    """It is to end with status 1 if it has segmented nothing."""
    log_levels: tuple[str, ...] = ()
    """Each ``LEVEL`` or ``LOGGER:=LEVEL``; nothing: ROS 2's default, info."""


def segmentation_action(
    process: NodeProcess,
    *,
    namespace: str,
    image: str,
    params_file: Path,
    parameters: Mapping[str, Any],
    name: str = "segmentation",
) -> Node:
    """Return the action that starts the node.

    :param image: image topic without ``/compressed``; a relative one lies in the namespace.
    :param params_file: file that exists; launch itself would only warn of one that does not.
    :param parameters: values by name; they win over those of ``params_file``.
    """
    from launch_ros.actions import Node

    arguments = []
    if process.lifecycle:
        arguments.append("--lifecycle")
    if process.expect_frames:
        arguments.append("--expect-frames")
    return Node(
        package=PACKAGE,
        executable="segmentation_node",
        name=name,
        namespace=namespace,
        parameters=[str(params_file), *([as_given(parameters)] if parameters else [])],
        remappings=[(IMAGE, image)],
        arguments=arguments,
        **_how(process),
    )


def cameras_action(
    process: NodeProcess, *, cameras: str, namespace: str, for_all: Mapping[str, bool | float | str]
) -> Node:
    """Return the action that starts a process with a node per camera.

    :param cameras: path of their list.
    :param namespace: put before the cameras' own; may be empty.
    :param for_all: the parameters of :data:`kd_seg_ros.cameras.cameras_node.FOR_ALL` that are given.
    """
    from launch_ros.actions import Node

    arguments = ["--cameras", cameras]
    if namespace:
        arguments += ["--namespace", namespace]
    for name, value in for_all.items():
        arguments += [f"--{name.replace('_', '-')}", str(value).lower()]
    if process.lifecycle:
        arguments.append("--lifecycle")
    return Node(
        package=PACKAGE,
        executable="cameras_node",
        arguments=arguments,
        **_how(process),
    )


def _how(process: NodeProcess) -> dict[str, Any]:
    """Return what all segmentation processes are started with, as arguments of ``launch_ros``' action."""
    return {
        "ros_arguments": _log_arguments(process),
        "additional_env": dict(process.environment),
        "output": "screen",
        "on_exit": process.on_exit,
        "respawn": process.respawn,
        "respawn_delay": RESPAWN_DELAY_S,
    }


def _log_arguments(process: NodeProcess) -> list[str] | None:
    """Return the options of the process' log levels as ``launch_ros`` takes them: None for none."""
    arguments = []
    for level in process.log_levels:
        arguments += ["--log-level", level]
    return arguments or None


def as_given(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Mark text as text: some releases of ``launch_ros`` would read it as YAML (``1e3``, ``on``)."""
    from launch_ros.parameter_descriptions import ParameterValue

    marked: dict[str, Any] = {}
    for name, value in parameters.items():
        if isinstance(value, Mapping):
            marked[name] = as_given(value)
        elif isinstance(value, str):
            marked[name] = ParameterValue(value, value_type=str)
        else:
            marked[name] = value
    return marked
