"""Segment a camera's images: the node, and on request a bag to feed it.

An argument that is not given leaves the value of ``params_file`` as it is.
"""

import os
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
    RVIZ,
    SIM_TIME,
    Argument,
    declare,
    read,
    started_itself,
)
from kd_seg_ros.launching.companions import CompanionProcess, frames_in_space, ground_action, points_action
from kd_seg_ros.launching.launch_actions import NodeProcess, segmentation_action
from kd_seg_ros.launching.launch_end import LaunchEnd
from kd_seg_ros.launching.names import (
    check_image_topic,
    check_name,
    check_namespace,
    existing_file,
    full_namespace,
    full_topic,
    read_yaml,
)
from kd_seg_ros.launching.replay import StartWhenReady, check_camera, find_bag, replay_action
from kd_seg_ros.launching.rviz import rviz_action
from kd_seg_ros.node.parameter_files import value_for

CONFIG = Path(get_package_share_directory(PACKAGE)) / "config"

ARGUMENTS = (
    Argument("model", "ONNX model file. Empty: as in params_file (the demo student)."),
    Argument(
        "image", "Image topic, without /compressed. A relative name lies in the namespace.", default="image"
    ),
    PROVIDER,
    Argument(
        "params_file", "YAML file with the node's parameters.", default=str(CONFIG / "segmentation.yaml")
    ),
    Argument("namespace", "Namespace of the node and its topics."),
    Argument("name", "Name of the node.", default="segmentation"),
    SIM_TIME,
    Argument(
        "compressed",
        "Subscribe to the image topic's /compressed. Empty: as in params_file (false), "
        "but true with a bag that has nothing else.",
        choices=FLAG,
    ),
    Argument("overlay", "Offer segmentation/overlay. Empty: as in params_file (true).", choices=FLAG),
    ACTIVE,
    LIFECYCLE,
    LOG_LEVEL,
    RESPAWN,
    REQUIRED,
    Argument(
        "depth",
        "Topic of depth images aligned to the camera, with camera_info next to it: publish "
        "segmentation/points from them. Empty: none.",
    ),
    Argument(
        "points",
        "Topic of organised clouds aligned to the camera: publish segmentation/points from them. "
        "Empty: none.",
    ),
    Argument(
        "ground",
        "Publish segmentation/ground. tf: TF says where the camera is. Or a YAML file with the parameters of "
        "ground_node, such as camera_height. Empty: no.",
    ),
    Argument(
        "bag",
        "rosbag2 to replay once the node is ready, with its /clock if use_sim_time is true; its end ends the "
        "launch, with status 1 if nothing was segmented. Empty: none.",
    ),
    RVIZ,
)
_OF_CAMERAS = "multi_camera.launch.py has it, which starts several cameras from a list"
ELSEWHERE = dict.fromkeys(("cameras", "one_process", "batch", "batch_wait_ms"), _OF_CAMERAS)
"""Arguments of multi_camera.launch.py alone."""


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription([*declare(ARGUMENTS), OpaqueFunction(function=_processes)])


def _processes(context: LaunchContext) -> list[Action]:
    """Check all arguments; return what is to be started: the node, and on request RViz and a bag."""
    given = read(context, ARGUMENTS, __file__, ELSEWHERE)
    params_file = existing_file("params_file", given["params_file"])
    read_yaml(params_file, "params_file:=FILE names a YAML file of parameters")
    _check_names(given)
    bag = find_bag(given["bag"]) if given["bag"] else None
    pushed = LaunchConfiguration("ros_namespace", default="").perform(context)
    namespace = full_namespace(pushed, given["namespace"])
    if bag and started_itself(__file__):
        topic = full_topic(namespace, given["name"], given["image"])
        given["compressed"] = check_camera(bag, topic, given["compressed"])
    # No more than the user has left open: for the node, RViz and what plays the bag.
    environment = large_image_environment(os.environ, 1 + (given["rviz"] == "true") + (bag is not None))
    end = LaunchEnd(
        1,
        required=given["required"] == "true",
        respawn=given["respawn"] == "true",
        replay=bag is not None,
    )
    process = NodeProcess(
        environment,
        end.after_node,
        respawn=given["respawn"] == "true",
        lifecycle=given["lifecycle"] == "true",
        expect_frames=bag is not None,
        log_levels=_log_levels(given, namespace),
    )
    node = segmentation_action(
        process,
        namespace=given["namespace"],
        name=given["name"],
        image=given["image"],
        params_file=params_file,
        parameters=_parameters(given),
    )
    started: list[Action] = [node, *_companions(given, namespace, params_file, environment, end)]
    if given["rviz"] == "true":
        started.append(
            rviz_action(
                config=CONFIG / "segmentation.rviz",
                namespace=given["namespace"],
                image=given["image"],
                use_sim_time=given["use_sim_time"] == "true",
                environment=environment,
                in_space=frames_in_space(given, namespace),
            )
        )
    if bag is None:
        return started
    replay = replay_action(bag, given["use_sim_time"] == "true", environment, end.after_replay)
    return [StartWhenReady(replay).handler(node), *started]


def _companions(
    given: dict[str, str], namespace: str, params_file: Path, environment: dict[str, str], end: LaunchEnd
) -> list[Action]:
    """Return the nodes that put the masks into space, as far as they were asked for.

    :param namespace: the segmentation node's, whole.
    :param params_file: the segmentation node's.
    """
    process = CompanionProcess(
        given["namespace"], given["use_sim_time"] == "true", environment, end.after_companion
    )
    if not (given["depth"] or given["points"] or given["ground"]):
        return []
    rotate = value_for(str(params_file), full_topic(namespace, given["name"], given["name"]), "rotate")
    nodes: list[Action] = []
    if given["depth"] or given["points"]:
        nodes.append(points_action(process, depth=given["depth"], points=given["points"], rotate=rotate))
    if given["ground"]:
        file = None
        if given["ground"] != "tf":
            file = existing_file("ground", given["ground"])
            read_yaml(file, "ground:=FILE names a YAML file of parameters")
        nodes.append(ground_action(process, image=given["image"], params_file=file, rotate=rotate))
    return nodes


def _check_names(given: dict[str, str]) -> None:
    """Refuse, by a UserError, names that ROS would refuse later, or in several lines."""
    check_image_topic(f"image:={given['image']}", given["image"], "compressed:=true")
    check_name(f"name:={given['name']}", given["name"])
    if given["namespace"].strip("/"):
        check_namespace(f"namespace:={given['namespace']}", given["namespace"].rstrip("/"))


def _log_levels(given: dict[str, str], namespace: str) -> tuple[str, ...]:
    """Return the levels of the node's process; a bag waits for a line that the node logs as information."""
    if not given["log_level"]:
        return ()
    if not given["bag"]:
        return (given["log_level"],)
    logger = f"{namespace}/{given['name']}".strip("/").replace("/", ".")
    return given["log_level"], f"{logger}:=info"


def _parameters(given: dict[str, str]) -> dict[str, bool | str]:
    """Return the node's parameters among the launch arguments that were given, in the node's types."""
    parameters: dict[str, bool | str] = {}
    if given["model"]:
        parameters["model"] = str(existing_file("model", given["model"]))
    for name in ("provider", "active"):
        if given[name]:
            parameters[name] = given[name]
    for name in ("use_sim_time", "compressed", "overlay"):
        if given[name]:
            parameters[name] = given[name] == "true"
    return parameters
