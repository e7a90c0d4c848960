"""The subscription to a camera: made while it is wanted, as reliable as the camera's publishers allow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from kd_seg_ros.common.topics import CAMERA_INFO, COMPRESSED, IMAGE
from kd_seg_ros.node.message_loss import LostMessageCounter
from kd_seg_ros.node.qos import create_input, matching_reliability

NUMBERED: Final = hasattr(Subscription, "CallbackType")
"""True if rclpy tells a callback the number of a message; Humble's does not."""


class CameraSubscription:
    """Subscribes to ``image`` (or ``image/compressed``), and to the ``camera_info`` in its namespace."""

    def __init__(
        self,
        node: Node,
        on_image: Callable[[Any], None],
        *,
        compressed: bool,
        reliability: str,
        with_info: bool,
    ) -> None:
        """Resolve the topics; images are subscribed to by :meth:`update`.

        :param on_image: called with each message, in the executor's thread.
        :param compressed: subscribe to ``image/compressed``.
        :param reliability: ``auto``, ``reliable`` or ``best_effort``.
        :param with_info: keep the camera's newest calibration.
        """
        self._node = node
        self._on_image = on_image
        self._type = CompressedImage if compressed else Image
        self._reliability = reliability
        self._images: Subscription | None = None
        self._gaps = LostMessageCounter()
        self._infos: Subscription | None = None
        self.info: CameraInfo | None = None
        """The camera's newest calibration; None before the first."""
        base = node.resolve_topic_name(IMAGE)  # remapping image moves what belongs to it along with it
        self.topic = node.resolve_topic_name(f"{base}{COMPRESSED}") if compressed else base
        if with_info:
            info_topic = node.resolve_topic_name(f"{base.rpartition('/')[0]}/{CAMERA_INFO}")
            # Best effort hears reliable publishers, too.
            profile = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
            self._infos = node.create_subscription(CameraInfo, info_topic, self._on_info, profile)

    @property
    def lost(self) -> int:
        """Images that were sent since the start and never came, as far as the middleware tells.

        The middleware reports what best-effort publishers lost; what a reliable one gave up shows as gaps in
        the numbers of the messages.
        """
        return max(self._gaps.reported, self._gaps.missing)

    @property
    def subscribed(self) -> bool:
        """True while images are asked for."""
        return self._images is not None

    def publishers(self) -> int:
        """Return the number of publishers of the image topic."""
        return self._node.count_publishers(self.topic)

    def obstacle(self) -> str:
        """Say why the topic's publishers cannot be heard; empty if they can."""
        found = self._found()
        kinds = sorted({info.topic_type for info in found})
        expected = f"sensor_msgs/msg/{self._type.__name__}"
        if found and expected not in kinds:
            return f"it is of type {', '.join(kinds)}, not {expected}: see the parameter compressed"
        if self._reliability == "reliable" and _best_effort(found) == len(found) > 0:
            return "it is published best effort, and the parameter reliability is 'reliable'"
        return ""

    def update(self, wanted: bool) -> None:
        """Subscribe, leave, or subscribe again if the publishers call for another reliability.

        :param wanted: images are of use now.
        """
        if not wanted:
            self._leave()
            return
        found = self._found()
        self._gaps.watch(bytes(info.endpoint_gid) for info in found)
        reliability = self._matching(found)
        if self._images is None:
            self._images = self._subscribe(reliability)
        elif reliability != self._images.qos_profile.reliability:
            name = reliability.name
            self._node.get_logger().info(f"{self.topic}: subscribing as {name}, like its publishers")
            self._leave()
            self._images = self._subscribe(reliability)

    def close(self) -> None:
        """End all subscriptions."""
        self._leave()
        if self._infos is not None:
            self._node.destroy_subscription(self._infos)

    def _found(self) -> list[Any]:
        """Describe the topic's publishers."""
        return list(self._node.get_publishers_info_by_topic(self.topic))

    def _matching(self, publishers: list[Any]) -> ReliabilityPolicy:
        """Return the reliability to subscribe with, for the publishers that there are."""
        if self._reliability != "auto":
            return ReliabilityPolicy[self._reliability.upper()]
        return matching_reliability(info.qos_profile.reliability for info in publishers)

    def _subscribe(self, reliability: ReliabilityPolicy) -> Subscription:
        return create_input(
            self._node,
            self._type,
            self.topic,
            self._on_numbered if NUMBERED else self._on_image,
            reliability,
            lost=self._on_lost,
            silent=self._reliability == "auto",
        )

    def _leave(self) -> None:
        if self._images is not None:
            self._node.destroy_subscription(self._images)
            self._images = None
            self._gaps.restart()

    def _on_numbered(self, message: Any, info: Mapping[str, Any]) -> None:
        self._gaps.note(info.get("publication_sequence_number"))
        self._on_image(message)

    def _on_lost(self, event: Any) -> None:
        self._gaps.report(event.total_count_change)

    def _on_info(self, info: CameraInfo) -> None:
        self.info = info


def _best_effort(publishers: list[Any]) -> int:
    """Count the publishers that offer best effort only."""
    return sum(info.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT for info in publishers)
