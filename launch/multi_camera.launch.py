"""Segment several cameras: a node each, from a YAML list (``config/cameras.yaml`` is an example)."""

import os
from dataclasses import replace
from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.action import Action
from launch.actions import OpaqueFunction
from launch.substitutions import LaunchConfiguration

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
    SIM_TIME,
    Argument,
    declare,
    read,
)
from kd_seg_ros.launching.camera_list import absolute_overrides, read_cameras
from kd_seg_ros.launching.launch_actions import NodeProcess, cameras_action, segmentation_action
from kd_seg_ros.launching.launch_end import LaunchEnd
from kd_seg_ros.launching.names import check_namespace, full_namespace

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
    LIFECYCLE,
    LOG_LEVEL,
    RESPAWN,
    REQUIRED,
)


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription([*declare(ARGUMENTS), OpaqueFunction(function=_nodes)])


def _nodes(context: LaunchContext) -> list[Action]:
    """Return the actions that start a node per camera; one that ends leaves the others running."""
    given = read(context, ARGUMENTS, __file__)
    if given["namespace"].strip("/"):
        check_namespace(f"namespace:={given['namespace']}", given["namespace"].rstrip("/"))
    cameras = read_cameras(given["cameras"])
    for_all: dict[str, bool | str] = {}
    for name in ("provider", "active"):
        if given[name]:
            for_all[name] = given[name]
    if given["use_sim_time"]:
        for_all["use_sim_time"] = given["use_sim_time"] == "true"
    together = given["one_process"] == "true"
    processes = 1 if together else len(cameras)
    respawn = given["respawn"] == "true"
    end = LaunchEnd(processes, required=given["required"] == "true", respawn=respawn)
    process = NodeProcess(
        large_image_environment(os.environ, processes),  # no more than the user has left open
        end.after_node,
        respawn=respawn,
        lifecycle=given["lifecycle"] == "true",
        log_levels=(given["log_level"],) if given["log_level"] else (),
    )
    if together:
        return [
            cameras_action(process, cameras=given["cameras"], namespace=given["namespace"], for_all=for_all)
        ]
    pushed = LaunchConfiguration("ros_namespace", default="").perform(context)
    nodes: list[Action] = []
    for camera in cameras:
        namespace = camera.name
        if given["namespace"]:
            namespace = f"{given['namespace'].rstrip('/')}/{camera.name.strip('/')}"
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
    return nodes
