"""The processes that the launch files start. Functions import ``launch_ros``: the node does without it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ament_index_python.packages import get_packages_with_prefixes

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.topics import IMAGE, OUTPUTS

if TYPE_CHECKING:
    from launch.action import Action
    from launch_ros.actions import Node

PACKAGE = "kd_seg_ros"


def segmentation_action(
    *,
    namespace: str,
    image: str,
    params_file: str,
    parameters: Mapping[str, Any],
    environment: Mapping[str, str],
    on_exit: Action | None = None,
) -> Node:
    """Return the action that starts the node.

    :param image: image topic without ``/compressed``; a relative one lies in the namespace.
    :param parameters: values by name; they win over those of ``params_file``.
    :param environment: variables that are added to those of the launch.
    :param on_exit: what happens when the node has ended.
    :raises UserError: if ``params_file`` is not there; launch itself would only warn, and use the defaults.
    """
    from launch_ros.actions import Node

    file = Path(params_file).expanduser()
    if not file.is_file():
        raise UserError(f"params_file: {file}: no such file")
    return Node(
        package=PACKAGE,
        executable="segmentation_node",
        name="segmentation",
        namespace=namespace,
        parameters=[str(file), *([as_given(parameters)] if parameters else [])],
        remappings=[(IMAGE, image)],
        additional_env=dict(environment),
        output="screen",
        on_exit=on_exit,
    )


def rviz_action(
    *, config: str, namespace: str, image: str, use_sim_time: bool, environment: Mapping[str, str]
) -> Node:
    """Return the action that starts RViz with the node's pictures.

    :param config: path of RViz' configuration.
    :param image: image topic without ``/compressed``.
    :raises UserError: where RViz is not installed.
    """
    from launch_ros.actions import Node

    # config/segmentation.rviz names its topics in the root namespace.
    outputs = [(f"/{topic.name}", topic.name) for topic in OUTPUTS]
    if "rviz2" not in get_packages_with_prefixes():
        distribution = os.environ.get("ROS_DISTRO", "<distribution>")
        raise UserError(
            f"rviz:=true needs rviz2, which is not installed: sudo apt install ros-{distribution}-rviz2"
        )
    return Node(
        package="rviz2",
        executable="rviz2",
        namespace=namespace,
        arguments=["-d", config],
        parameters=[{"use_sim_time": use_sim_time}],
        remappings=[(f"/{IMAGE}", image), *outputs],
        additional_env=dict(environment),
        output="screen",
    )


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
