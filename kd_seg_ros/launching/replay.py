"""The bag that a launch plays to the node: checked before anything starts, played once the node is ready."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ament_index_python.packages import get_packages_with_prefixes

from kd_seg_ros.bags.reading import image_topics, not_among, open_bag
from kd_seg_ros.common.errors import UserError, first_line
from kd_seg_ros.common.share import PACKAGE
from kd_seg_ros.common.topics import COMPRESSED

if TYPE_CHECKING:
    from launch.action import Action
    from launch.actions import ExecuteProcess, RegisterEventHandler
    from launch.events.process import ProcessIO
    from launch_ros.actions import Node


def find_bag(name: str) -> Path:
    """Return the path of a bag, ``~`` expanded; raises UserError if there is none."""
    try:
        bag = Path(name).expanduser()
    except RuntimeError as error:  # ~nobody/...
        raise UserError(f"bag:={name}: {first_line(error)}") from error
    if not bag.exists():
        raise UserError(f"bag:={name}: no such bag")
    return bag


def check_camera(bag: Path, topic: str, compressed: str) -> str:
    """Check that a bag holds the images that the node will wait for.

    A bag that cannot be read here is left to ``ros2 bag play``, where that is installed.

    :param topic: full name of the image topic.
    :param compressed: ``true`` or ``false``; empty where only the node's parameters tell.
    :return: ``compressed``, or ``true`` where it is empty and the bag holds compressed copies only.
    :raises UserError: if the bag lacks the images, naming those it has; or if it cannot be read.
    """
    try:
        with open_bag(bag) as reader:
            images = sorted(image_topics(reader))
    except UserError:
        if has_ros2_bag():
            return compressed
        raise
    raw, copies = topic in images, f"{topic}{COMPRESSED}" in images
    if not raw and not copies:
        bases = {name.removesuffix(COMPRESSED) for name in images}
        if not bases:
            raise UserError(f"bag:={bag}: has no images")
        raise UserError(f"image:={topic}: {not_among(topic, bases, str(bag))}")
    if compressed == "true" and not copies:
        raise UserError(f"compressed:=true: {bag} has no {topic}{COMPRESSED}: leave compressed out")
    if compressed == "false" and not raw:
        raise UserError(f"compressed:=false: {bag} has no {topic} but {topic}{COMPRESSED}: say true")
    return compressed if raw else "true"


def has_ros2_bag() -> bool:
    """Return whether ``ros2 bag play`` is installed."""
    return shutil.which("ros2") is not None and "ros2bag" in get_packages_with_prefixes()


def replay_action(bag: Path, clock: bool, environment: Mapping[str, str], on_exit: Any) -> ExecuteProcess:
    """Return the action that plays a bag: by ``ros2 bag play`` where it is installed, else by ``play_bag``.

    :param clock: publish the bag's time on ``/clock``.
    """
    from launch.actions import ExecuteProcess
    from launch_ros.actions import Node

    arguments = [str(bag), *(["--clock"] if clock else [])]
    process: dict[str, Any] = {
        "additional_env": dict(environment),
        "output": "screen",
        "on_exit": on_exit,
    }
    if has_ros2_bag():
        return ExecuteProcess(cmd=["ros2", "bag", "play", *arguments], **process)
    return Node(package=PACKAGE, executable="play_bag", arguments=arguments, **process)


class StartWhenReady:
    """Starts the replay, once, when the node says that it is ready: loading a model can take minutes."""

    def __init__(self, replay: Action) -> None:
        """Keep the action that plays the bag."""
        self._waiting = [replay]

    def handler(self, node: Node) -> RegisterEventHandler:
        """Return the action that makes launch hand the node's output to this object."""
        from launch.actions import RegisterEventHandler
        from launch.event_handlers import OnProcessIO

        return RegisterEventHandler(
            OnProcessIO(target_action=node, on_stdout=self._listen, on_stderr=self._listen)
        )

    def _listen(self, event: ProcessIO) -> list[Action]:
        if b"ready:" not in event.text:
            return []
        started, self._waiting = self._waiting, []
        return started
