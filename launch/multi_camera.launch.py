"""Segment several cameras: a node each, from a YAML list (``config/cameras.yaml`` is an example)."""

import os
from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.action import Action
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration

from kd_seg_ros.common.fast_dds import large_image_environment
from kd_seg_ros.inference.providers import PROVIDERS
from kd_seg_ros.launching.camera_list import CameraEntry, read_cameras
from kd_seg_ros.launching.launch_actions import PACKAGE, segmentation_action

CONFIG = Path(get_package_share_directory(PACKAGE)) / "config"

ARGUMENTS = [
    DeclareLaunchArgument(
        "cameras",
        default_value=str(CONFIG / "cameras.yaml"),
        description="YAML list of the cameras. The default is an example with /front and /rear.",
    ),
    DeclareLaunchArgument(
        "namespace", default_value="", description="Put before the cameras' own namespaces."
    ),
    DeclareLaunchArgument(
        "provider",
        default_value="",
        choices=["", *PROVIDERS],
        description="Where all networks run; auto: the CPU if no GPU starts. Empty: as in the list.",
    ),
    DeclareLaunchArgument(
        "use_sim_time",
        default_value="",
        choices=("", "true", "false", "True", "False"),
        description="Take the time from /clock. Empty: as in the list (false).",
    ),
]


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription([*ARGUMENTS, OpaqueFunction(function=_nodes)])


def _nodes(context: LaunchContext) -> list[Action]:
    """Return the actions that start a node per camera; one that ends leaves the others running."""
    given = {argument.name: LaunchConfiguration(argument.name).perform(context) for argument in ARGUMENTS}
    for_all: dict[str, bool | str] = {}
    if given["provider"]:
        for_all["provider"] = given["provider"]
    if given["use_sim_time"]:
        for_all["use_sim_time"] = given["use_sim_time"].lower() == "true"
    environment = large_image_environment(os.environ)  # no more than the user has left open
    return [
        segmentation_action(
            namespace=_below(given["namespace"], camera),
            image=camera.image,
            params_file=str(camera.params_file or CONFIG / "segmentation.yaml"),
            parameters={**camera.parameters, **for_all},
            environment=environment,
        )
        for camera in read_cameras(given["cameras"])
    ]


def _below(namespace: str, camera: CameraEntry) -> str:
    """Return the namespace of a camera's node, inside that of the launch."""
    return f"{namespace.rstrip('/')}/{camera.name.lstrip('/')}" if namespace else camera.name
