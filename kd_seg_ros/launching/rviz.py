"""RViz with the pictures of one node or of several.

Functions import ``launch_ros``: the node does without it.
"""

from __future__ import annotations

import copy
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml
from ament_index_python.packages import get_packages_with_prefixes

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.topics import GROUND, IMAGE, OUTPUTS, POINTS

if TYPE_CHECKING:
    from launch.action import Action
    from launch.events.process import ProcessExited
    from launch.launch_context import LaunchContext
    from launch_ros.actions import Node

SHOWN: Final = ("Camera", "Overlay")
"""Displays of ``config/segmentation.rviz`` that are open at once for each of several cameras; the others are
in the list, one click away."""


@dataclass(frozen=True)
class ShownCamera:
    """A camera whose pictures RViz shows, by full names."""

    namespace: str
    """Of its segmentation node, absolute."""
    image: str
    """Topic of its images, absolute and without ``/compressed``."""


def rviz_action(
    *,
    config: Path,
    namespace: str,
    image: str,
    use_sim_time: bool,
    environment: Mapping[str, str],
    in_space: Mapping[str, str],
) -> Node:
    """Return the action that starts RViz with the pictures of one node.

    :param config: RViz' configuration, whose topics lie in the root namespace.
    :param image: image topic without ``/compressed``.
    :param in_space: names of closed displays to open, with the frame in which each lies; empty: not known.
        The last frame that is known becomes the fixed frame.
    :raises UserError: where RViz is not installed.
    """
    outputs = [(f"/{topic.name}", topic.name) for topic in (*OUTPUTS, POINTS, GROUND)]
    options = {"namespace": namespace, "remappings": [(f"/{IMAGE}", image), *outputs]}
    if not in_space:
        return _rviz(config, use_sim_time, environment, **options)
    content = configuration_in_space(yaml.safe_load(config.read_text(encoding="utf-8")), in_space)
    return _rviz_with(content, use_sim_time, environment, **options)


def rviz_of_cameras_action(
    *, config: Path, cameras: Sequence[ShownCamera], use_sim_time: bool, environment: Mapping[str, str]
) -> Node:
    """Return the action that starts one RViz with the pictures of several nodes.

    :param config: RViz' configuration for one camera.
    :raises UserError: where RViz is not installed.
    """
    content = yaml.safe_load(config.read_text(encoding="utf-8"))
    return _rviz_with(configuration_of_cameras(content, cameras), use_sim_time, environment)


def configuration_in_space(content: Mapping[str, Any], in_space: Mapping[str, str]) -> dict[str, Any]:
    """Return RViz' configuration with displays opened that it has closed.

    :param in_space: as of :func:`rviz_action`.
    """
    made: dict[str, Any] = copy.deepcopy(dict(content))
    manager = made["Visualization Manager"]
    for display in manager["Displays"]:
        if display["Name"] in in_space:
            display["Enabled"] = display["Value"] = True
    for frame in filter(None, in_space.values()):
        manager["Global Options"]["Fixed Frame"] = frame
    return made


def configuration_of_cameras(content: Mapping[str, Any], cameras: Sequence[ShownCamera]) -> dict[str, Any]:
    """Return RViz' configuration for several cameras: the displays of one camera, again for each.

    :param content: the configuration for one camera, whose topics lie in the root namespace.
    """
    made: dict[str, Any] = copy.deepcopy(dict(content))
    displays = []
    for camera in cameras:
        for display in filter(is_picture, content["Visualization Manager"]["Displays"]):
            displays.append(_display_of_camera(display, camera))
    made["Visualization Manager"]["Displays"] = displays
    # Panels are remembered by the names of their displays, which are others now.
    kept = ("Displays", "Height", "Time", "Width")
    made["Window Geometry"] = {name: made["Window Geometry"][name] for name in kept}
    return made


def is_picture(display: Mapping[str, Any]) -> bool:
    """Return whether a display shows images."""
    return bool(display["Class"] == "rviz_default_plugins/Image")


def _display_of_camera(display: Mapping[str, Any], camera: ShownCamera) -> dict[str, Any]:
    """Return a display of the configuration for one camera with the topic and the name of this camera."""
    made: dict[str, Any] = copy.deepcopy(dict(display))
    topic = made["Topic"]["Value"]
    made["Topic"]["Value"] = camera.image if topic == f"/{IMAGE}" else camera.namespace.rstrip("/") + topic
    made["Name"] = f"{camera.namespace.strip('/')}: {display['Name']}"
    made["Enabled"] = made["Value"] = display["Name"] in SHOWN
    return made


def _rviz_with(
    content: Mapping[str, Any], use_sim_time: bool, environment: Mapping[str, str], **options: Any
) -> Node:
    """Return the action that starts RViz with a configuration of its own.

    That is a temporary file, which is removed when RViz has ended.
    """
    _require_rviz()
    with tempfile.NamedTemporaryFile(
        "w", prefix="kd_seg_ros_", suffix=".rviz", delete=False, encoding="utf-8"
    ) as file:
        yaml.safe_dump(dict(content), file, sort_keys=False)
    written = Path(file.name)

    def remove(_event: ProcessExited, _context: LaunchContext) -> list[Action]:
        written.unlink(missing_ok=True)
        return []

    return _rviz(written, use_sim_time, environment, on_exit=remove, **options)


def _rviz(config: Path, use_sim_time: bool, environment: Mapping[str, str], **options: Any) -> Node:
    from launch_ros.actions import Node

    _require_rviz()
    return Node(
        package="rviz2",
        executable="rviz2",
        arguments=["-d", str(config)],
        parameters=[{"use_sim_time": use_sim_time}],
        additional_env=dict(environment),
        output="screen",
        **options,
    )


def _require_rviz() -> None:
    """Raise UserError where RViz is not installed."""
    if "rviz2" not in get_packages_with_prefixes():
        distribution = os.environ.get("ROS_DISTRO", "<distribution>")
        raise UserError(
            f"rviz:=true needs rviz2, which is not installed: sudo apt install ros-{distribution}-rviz2"
        )
