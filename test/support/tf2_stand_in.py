"""Stands in for ``tf2_ros``, which the wheels of ROS 2 lack: transforms that a test states, none between.

Topics and service have the real one's names, and other types.
"""

from __future__ import annotations

from typing import Any

from geometry_msgs.msg import Transform, TransformStamped
from rclpy.node import Node
from rclpy.time import Time
from std_msgs.msg import Empty
from std_srvs.srv import Trigger

Key = tuple[str, str, int]
TRANSFORMS: dict[Key, Transform] = {}
"""By target frame, source frame and nanoseconds."""


class TransformException(Exception):  # noqa: N818 (the real one's name)
    """What ``tf2_ros`` raises where it has no answer."""


class Buffer:
    """Answers from :data:`TRANSFORMS`."""

    def __init__(self, cache_time: Any = None, node: Node | None = None) -> None:
        if node is not None:
            node.create_service(Trigger, "tf2_frames", lambda _request, response: response)

    def lookup_transform(
        self, target_frame: str, source_frame: str, time: Time, timeout: Any = None
    ) -> TransformStamped:
        found = TRANSFORMS.get((target_frame, source_frame, time.nanoseconds))
        if found is None:
            raise TransformException("Lookup would require extrapolation into the future. ")
        return TransformStamped(transform=found)


class TransformListener:
    """Subscribes to the topics of transforms."""

    def __init__(self, buffer: Buffer, node: Node) -> None:
        self._node = node
        self._subscriptions = [
            node.create_subscription(Empty, topic, lambda _message: None, 1)
            for topic in ("/tf", "/tf_static")
        ]

    def unregister(self) -> None:
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
