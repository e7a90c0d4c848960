"""Talking to a node over DDS: an isolated domain, the node in its own process, a client in the test's.

What a test may rely on, however busy the machine: a reliable publisher delivers its last message to every
subscriber that it has matched. Not that a message published before that arrives, nor each of several in a row
on a topic of depth 1, nor anything that is best effort. :meth:`Client.ask` publishes until it is answered.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from numpy.typing import NDArray
from patient_process import LONG, PatientProcess
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from ros_domain import own_domain
from sensor_msgs.msg import Image

from kd_seg_ros.common.child_process import ChildProcess
from kd_seg_ros.common.node_command import MODULE

ROOT = Path(__file__).resolve().parents[2]
os.environ["ROS_DOMAIN_ID"] = str(own_domain())
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
os.environ.setdefault("FASTDDS_DEFAULT_PROFILES_FILE", str(ROOT / "config" / "fastdds_large_images.xml"))


def start_node(
    *arguments: str, environment: dict[str, str] | None = None, program: Sequence[str] = ("-m", MODULE)
) -> ChildProcess:
    """Start ``python -m kd_seg_ros.node.segmentation_node ARGUMENTS``, or another program."""
    return PatientProcess("node", [sys.executable, *program, *arguments], None, environment)


@contextmanager
def running_node(
    namespace: str, *ros_arguments: str, environment: dict[str, str] | None = None
) -> Iterator[ChildProcess]:
    """Run a node that is ready, in ``namespace``; end it afterwards.

    It does not look for faults of the camera, since tests send the same image again and again, or one colour.
    """
    careless = ("-p", "diagnostics.camera_fault_s:=0.0", "-p", "diagnostics.frozen_camera_s:=0.0")
    arguments = ("-r", f"__ns:=/{namespace}", *careless, *ros_arguments)
    with start_node("--ros-args", *arguments, environment=environment) as node:
        node.wait_for("ready:")
        yield node
        node.stop()


def wait_until(condition: Callable[[], Any], seconds: float = LONG) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


class Client:
    """Publishes to a node and collects what comes back, in the node's namespace."""

    def __init__(self, namespace: str) -> None:
        self._context = Context()
        rclpy.init(context=self._context)
        self.node = rclpy.create_node("client", namespace=f"/{namespace}", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)

    def close(self) -> None:
        self._executor.shutdown()
        self.node.destroy_node()
        self._context.try_shutdown()

    def publisher(self, topic: str, message_type: Any = Image, best_effort: bool = False) -> Any:
        reliability = ReliabilityPolicy.BEST_EFFORT if best_effort else ReliabilityPolicy.RELIABLE
        return self.node.create_publisher(message_type, topic, QoSProfile(depth=5, reliability=reliability))

    def collect(
        self, topic: str, message_type: Any = Image, best_effort: bool = False, latched: bool = False
    ) -> list[Any]:
        """Subscribe; return the list that messages are appended to."""
        messages: list[Any] = []
        profile = QoSProfile(
            depth=50,
            reliability=ReliabilityPolicy.BEST_EFFORT if best_effort else ReliabilityPolicy.RELIABLE,
            durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
        )
        self.node.create_subscription(message_type, topic, messages.append, profile)
        return messages

    def diagnostics(self) -> list[dict[str, str]]:
        """Subscribe to the state of this namespace's node, with ``level`` and ``message`` as keys too."""
        states: list[dict[str, str]] = []

        def keep(array: DiagnosticArray) -> None:
            for status in array.status:
                if status.name.startswith(self.node.get_namespace() + "/"):
                    values = {pair.key: pair.value for pair in status.values}
                    states.append(values | {"level": str(status.level[0]), "message": status.message})

        self.node.create_subscription(DiagnosticArray, "/diagnostics", keep, 10)
        return states

    def spin_until(self, condition: Callable[[], Any], seconds: float = LONG) -> bool:
        """Receive until ``condition`` holds; return whether it does."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            self._executor.spin_once(timeout_sec=0.05)
        return True

    def ask(self, publisher: Any, message: Any, answers: list[Any]) -> Any:
        """Publish ``message`` until an answer with its stamp has come, and return that answer."""

        def answered() -> list[Any]:
            return [answer for answer in answers if answer.header.stamp == message.header.stamp]

        for _ in range(int(LONG)):  # one second each
            publisher.publish(message)
            if self.spin_until(answered, 1.0):
                return answered()[0]
        raise AssertionError("the node did not answer")


def rgb_message(image: NDArray[np.uint8], second: int = 1, frame_id: str = "camera", pad: int = 0) -> Image:
    """An rgb8 message whose rows end with ``pad`` bytes that are no pixels."""
    height, width, _ = image.shape
    rows = np.full((height, width * 3 + pad), 77, np.uint8)
    rows[:, : width * 3] = image.reshape(height, -1)
    message = Image(height=height, width=width, encoding="rgb8", step=rows.shape[1], data=rows.tobytes())
    message.header.stamp.sec, message.header.stamp.nanosec = second, 123456789
    message.header.frame_id = frame_id
    return message


def as_array(message: Image) -> NDArray[Any]:
    """The pixels of a mono8, bgr8 or 32FC1 message without padding."""
    dtype = {"mono8": np.uint8, "bgr8": np.uint8, "32FC1": np.float32}[message.encoding]
    shape = (message.height, message.width, *((3,) if message.encoding == "bgr8" else ()))
    array: NDArray[Any] = np.frombuffer(message.data, dtype).reshape(shape)
    assert message.step == array.strides[0]
    assert message.is_bigendian == int(sys.byteorder == "big")
    return array
