"""Subscriptions that come and go with those who listen, with the reliability that the publishers offer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription

from kd_seg_ros.node.qos import matching_reliability

DEPTH: Final = 5
"""Messages that wait in the middleware: maps and depth are put together, so that single ones matter."""


class Source(Protocol):
    """What is listened to while its messages are of use."""

    topic: str
    required: bool

    def update(self, wanted: bool) -> None:
        """Begin to listen, or leave."""

    def publishers(self) -> int:
        """Return how many publishers there are."""


class Input:
    """One topic that is subscribed to while its messages are of use."""

    def __init__(
        self,
        node: Node,
        message_type: type[Any],
        topic: str,
        callback: Callable[[Any], None],
        *,
        required: bool = True,
    ) -> None:
        """Take note of a topic.

        :param topic: relative name; remapping applies.
        :param required: without a publisher of it nothing can come out.
        """
        self.topic = node.resolve_topic_name(topic)
        self.required = required
        self._node = node
        self._type = message_type
        self._callback = callback
        self._subscription: Subscription | None = None

    def update(self, wanted: bool) -> None:
        """Subscribe, leave, or subscribe again if the publishers call for another reliability."""
        if not wanted:
            self.close()
            return
        found = self._node.get_publishers_info_by_topic(self.topic)
        reliability = matching_reliability(info.qos_profile.reliability for info in found)
        if self._subscription is not None and self._subscription.qos_profile.reliability == reliability:
            return
        self.close()
        profile = QoSProfile(depth=DEPTH, reliability=reliability)
        self._subscription = self._node.create_subscription(self._type, self.topic, self._callback, profile)

    def publishers(self) -> int:
        """Return how many publishers the topic has."""
        return int(self._node.count_publishers(self.topic))

    def close(self) -> None:
        """End the subscription."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None
