"""Segment a camera's images: the node, and on request a bag to feed it.

An argument that is not given leaves the value of ``params_file`` as it is.
"""

import os
import shutil
from pathlib import Path
from typing import Any

from ament_index_python.packages import get_package_share_directory, get_packages_with_prefixes
from launch import LaunchContext, LaunchDescription
from launch.action import Action
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    OpaqueFunction,
    RegisterEventHandler,
    Shutdown,
)
from launch.event_handlers import OnProcessIO
from launch.events.process import ProcessIO
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from kd_seg_ros.common.fast_dds import large_image_environment
from kd_seg_ros.inference.providers import PROVIDERS
from kd_seg_ros.launching.launch_actions import PACKAGE, rviz_action, segmentation_action

CONFIG = Path(get_package_share_directory(PACKAGE)) / "config"
FLAG = ("", "true", "false", "True", "False")

ARGUMENTS = [
    DeclareLaunchArgument(
        "model", default_value="", description="ONNX model file. Empty: as in params_file (the demo student)."
    ),
    DeclareLaunchArgument(
        "image",
        default_value="image",
        description="Image topic, without /compressed. A relative name lies in the namespace.",
    ),
    DeclareLaunchArgument(
        "provider",
        default_value="",
        choices=["", *PROVIDERS],
        description="Where the network runs; auto: CPU if no GPU starts. Empty: as in params_file (cuda).",
    ),
    DeclareLaunchArgument(
        "params_file",
        default_value=str(CONFIG / "segmentation.yaml"),
        description="YAML file with the node's parameters.",
    ),
    DeclareLaunchArgument("namespace", default_value="", description="Namespace of the node and its topics."),
    DeclareLaunchArgument(
        "use_sim_time",
        default_value="",
        choices=FLAG,
        description="Take the time from /clock; with bag, also publish it. Empty: as in params_file (false).",
    ),
    DeclareLaunchArgument(
        "compressed",
        default_value="",
        choices=FLAG,
        description="Subscribe to the image topic's /compressed. Empty: as in params_file (false).",
    ),
    DeclareLaunchArgument(
        "overlay",
        default_value="",
        choices=FLAG,
        description="Offer segmentation/overlay. Empty: as in params_file (true).",
    ),
    DeclareLaunchArgument(
        "bag",
        default_value="",
        description="rosbag2 to replay once the node is ready; its end ends the launch. Empty: none.",
    ),
    DeclareLaunchArgument(
        "rviz",
        default_value="",
        choices=FLAG,
        description="Open RViz with the node's pictures. Empty: false.",
    ),
]


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription([*ARGUMENTS, OpaqueFunction(function=_processes)])


def _processes(context: LaunchContext) -> list[Action]:
    """Return what is to be started: the node, and on request RViz and the bag."""
    given = {argument.name: LaunchConfiguration(argument.name).perform(context) for argument in ARGUMENTS}
    environment = large_image_environment(os.environ)  # no more than the user has left open
    node = segmentation_action(
        namespace=given["namespace"],
        image=given["image"],
        params_file=given["params_file"],
        parameters=_parameters(given),
        environment=environment,
        # A bag without a listener is of no use. Without a bag the launch may hold other things, which run on.
        on_exit=Shutdown(reason="the segmentation node has ended") if given["bag"] else None,
    )
    started: list[Action] = [node]
    if _is_true(given["rviz"]):
        started.append(
            rviz_action(
                config=str(CONFIG / "segmentation.rviz"),
                namespace=given["namespace"],
                image=given["image"],
                use_sim_time=_is_true(given["use_sim_time"]),
                environment=environment,
            )
        )
    if not given["bag"]:
        return started
    replay = _replay(
        given,
        additional_env=environment,
        output="screen",
        on_exit=Shutdown(reason="the bag has ended"),
    )
    return [_when_ready(node, replay), *started]


def _is_true(text: str) -> bool:
    return text.lower() == "true"


def _parameters(given: dict[str, str]) -> dict[str, bool | str]:
    """Return the node's parameters among the launch arguments that were given, in the node's types."""
    text = {name: given[name] for name in ("model", "provider") if given[name]}
    flags = ("use_sim_time", "compressed", "overlay")
    return {**text, **{name: _is_true(given[name]) for name in flags if given[name]}}


def _replay(given: dict[str, str], **process: Any) -> ExecuteProcess:
    """Play the bag by ``ros2 bag play`` where it is installed, else by this package's ``play_bag``."""
    arguments = [given["bag"], *(["--clock"] if _is_true(given["use_sim_time"]) else [])]
    if shutil.which("ros2") and "ros2bag" in get_packages_with_prefixes():
        return ExecuteProcess(cmd=["ros2", "bag", "play", *arguments], **process)
    return Node(package=PACKAGE, executable="play_bag", arguments=arguments, **process)


def _when_ready(node: Node, replay: ExecuteProcess) -> RegisterEventHandler:
    """Return the handler that starts the replay when the node says that it is ready.

    Loading a model takes seconds, or minutes.
    """
    started = False

    def start(event: ProcessIO) -> list[Action]:
        nonlocal started
        if started or b"ready:" not in event.text:
            return []
        started = True
        return [replay]

    return RegisterEventHandler(OnProcessIO(target_action=node, on_stdout=start, on_stderr=start))
