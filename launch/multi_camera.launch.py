"""Segment several cameras: a node each, from a YAML list (``config/cameras.yaml`` is an example)."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.action import Action
from launch.actions import OpaqueFunction
from launch.substitutions import LaunchConfiguration

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.fast_dds import large_image_environment
from kd_seg_ros.common.share import PACKAGE
from kd_seg_ros.launching.arguments import (
    ACTIVE,
    FLAG,
    LIFECYCLE,
    LOG_LEVEL,
    PROVIDER,
    REQUIRED,
    RESPAWN,
    RVIZ,
    SIM_TIME,
    Argument,
    declare,
    read,
)
from kd_seg_ros.launching.camera_list import CameraEntry, absolute_overrides, read_cameras
from kd_seg_ros.launching.launch_actions import NodeProcess, cameras_action, segmentation_action
from kd_seg_ros.launching.launch_end import LaunchEnd
from kd_seg_ros.launching.names import check_namespace, full_namespace, full_topic
from kd_seg_ros.launching.rviz import ShownCamera, rviz_of_cameras_action

NODE = "segmentation"
"""Name of each camera's node."""
LONGEST_WAIT_MS = 1000.0
"""As the node's parameter batch_wait_ms allows."""
CONFIG = Path(get_package_share_directory(PACKAGE)) / "config"

ARGUMENTS = (
    Argument(
        "cameras",
        "YAML list of the cameras. The default is an example with /front and /rear.",
        default=str(CONFIG / "cameras.yaml"),
    ),
    Argument("namespace", "Put before the cameras' own namespaces."),
    replace(
        PROVIDER, meaning="Where all networks run; auto: the CPU if no GPU starts. Empty: as in the list."
    ),
    replace(SIM_TIME, meaning="Take the time from /clock. Empty: as in the list (false)."),
    replace(
        ACTIVE,
        meaning="auto: segment while somebody listens; always: every image. Empty: as in the list (auto).",
    ),
    Argument(
        "one_process",
        "Run all cameras in one process, where those with the same model share one network; they end "
        "together. Empty: false, a process per camera.",
        choices=FLAG,
    ),
    Argument(
        "batch",
        "With one_process: images of cameras that share a network go through it together, if the model file "
        "was exported with --batch. Empty: as in the list (false).",
        choices=FLAG,
    ),
    Argument(
        "batch_wait_ms",
        "With batch: for so many milliseconds an image waits for those of the other cameras. Empty: as in "
        "the list (5.0).",
    ),
    LIFECYCLE,
    LOG_LEVEL,
    RESPAWN,
    REQUIRED,
    replace(RVIZ, meaning="Open one RViz with the pictures of all cameras. Empty: false."),
)
_IN_LIST = "it is a key of the list that cameras:=FILE names, of one camera or of all (defaults)"
_AMONG_PARAMETERS = "it is a parameter, which the list that cameras:=FILE names may set under 'parameters'"
_IN_SPACE = "start segment.launch.py for each camera instead, which has it"
ELSEWHERE = {
    "model": _IN_LIST,
    "image": _IN_LIST,
    "params_file": _IN_LIST,
    "name": "the node of a camera is called segmentation, in the namespace that the list gives it",
    "compressed": _AMONG_PARAMETERS,
    "overlay": _AMONG_PARAMETERS,
    "depth": _IN_SPACE,
    "points": _IN_SPACE,
    "ground": _IN_SPACE,
    "bag": "play the bag next to it, by `ros2 bag play` or `ros2 run kd_seg_ros play_bag`",
}
"""Arguments of segment.launch.py alone."""


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription([*declare(ARGUMENTS), OpaqueFunction(function=_nodes)])


def _nodes(context: LaunchContext) -> list[Action]:
    """Return the actions that start a node per camera; one that ends leaves the others running."""
    given = read(context, ARGUMENTS, __file__, ELSEWHERE)
    if given["namespace"].strip("/"):
        check_namespace(f"namespace:={given['namespace']}", given["namespace"].rstrip("/"))
    _check_batch(given)
    cameras = read_cameras(given["cameras"])
    together = given["one_process"] == "true"
    processes = 1 if together else len(cameras)
    respawn = given["respawn"] == "true"
    end = LaunchEnd(processes, required=given["required"] == "true", respawn=respawn)
    rviz = given["rviz"] == "true"
    process = NodeProcess(
        large_image_environment(os.environ, processes + rviz),  # no more than the user has left open
        end.after_node,
        respawn=respawn,
        lifecycle=given["lifecycle"] == "true",
        log_levels=(given["log_level"],) if given["log_level"] else (),
    )
    pushed = LaunchConfiguration("ros_namespace", default="").perform(context)
    started = _rviz(given, cameras, pushed, process) if rviz else []
    for_all = _for_all(given)
    if together:
        node = cameras_action(
            process, cameras=given["cameras"], namespace=given["namespace"], for_all=for_all
        )
        return [node, *started]
    nodes: list[Action] = []
    for camera in cameras:
        namespace = _namespace(given, camera)
        overrides = absolute_overrides(camera.parameters, full_namespace(pushed, namespace))
        nodes.append(
            segmentation_action(
                process,
                namespace=namespace,
                image=camera.image,
                params_file=camera.params_file or CONFIG / "segmentation.yaml",
                parameters={**overrides, **for_all},
            )
        )
    return [*nodes, *started]


def _check_batch(given: dict[str, str]) -> None:
    """Refuse, by a UserError, arguments about batches that would change nothing."""
    if given["batch"] == "true" and given["one_process"] != "true":
        raise UserError(
            "batch:=true needs one_process:=true: only cameras in one process can share runs of a network"
        )
    if not given["batch_wait_ms"]:
        return
    if given["one_process"] != "true":
        raise UserError(
            "batch_wait_ms needs one_process:=true and batch:=true: it is about batches of images"
        )
    try:
        milliseconds = float(given["batch_wait_ms"])
    except ValueError:
        milliseconds = -1.0
    if not 0 <= milliseconds <= LONGEST_WAIT_MS:
        raise UserError(
            f"batch_wait_ms:={given['batch_wait_ms']}: must be a number of milliseconds from 0 to "
            f"{LONGEST_WAIT_MS:g}"
        )


def _for_all(given: dict[str, str]) -> dict[str, bool | float | str]:
    """Return the parameters that arguments set for all cameras, in the node's types."""
    for_all: dict[str, bool | float | str] = {}
    for name in ("provider", "active"):
        if given[name]:
            for_all[name] = given[name]
    for name in ("use_sim_time", "batch"):
        if given[name]:
            for_all[name] = given[name] == "true"
    if given["batch_wait_ms"]:
        for_all["batch_wait_ms"] = float(given["batch_wait_ms"])
    return for_all


def _namespace(given: dict[str, str], camera: CameraEntry) -> str:
    """Return the namespace of a camera's node: its name in the list, with the argument's before it."""
    if not given["namespace"]:
        return camera.name
    return f"{given['namespace'].rstrip('/')}/{camera.name.strip('/')}"


def _rviz(
    given: dict[str, str], cameras: Sequence[CameraEntry], pushed: str, process: NodeProcess
) -> list[Action]:
    """Return the action that opens one RViz for all cameras."""
    shown = []
    for camera in cameras:
        namespace = full_namespace(pushed, _namespace(given, camera))
        shown.append(ShownCamera(namespace, full_topic(namespace, NODE, camera.image)))
    return [
        rviz_of_cameras_action(
            config=CONFIG / "segmentation.rviz",
            cameras=shown,
            use_sim_time=given["use_sim_time"] == "true",
            environment=process.environment,
        )
    ]
