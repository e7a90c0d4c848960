"""The subscription to a camera: there while it is wanted, as reliable as the camera's publishers allow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from kd_seg_ros.qos import create_input, matching_reliability


class Camera:
    """Image topic ``image`` (with ``/compressed``), and the ``camera_info`` beside it."""

    def __init__(
        self,
        node: Node,
        on_image: Callable[[Any], None],
        *,
        compressed: bool,
        reliability: str,
        with_info: bool,
    ) -> None:
        """Resolve the topics; nothing is subscribed to before :meth:`update`.

        :param reliability: ``auto``, ``reliable`` or ``best_effort``.
        :param with_info: keep the camera's newest calibration.
        """
        self._node = node
        self._on_image = on_image
        self._type = CompressedImage if compressed else Image
        self._reliability = reliability
        self._images: Subscription | None = None
        self.lost = 0
        """Images that DDS has lost on the way since the start, as far as it tells."""
        self.info: CameraInfo | None = None
        """The newest calibration."""
        base = node.resolve_topic_name("image")  # remapping image moves what belongs to it along with it
        self.topic = node.resolve_topic_name(f"{base}/compressed") if compressed else base
        if with_info:
            beside = node.resolve_topic_name(f"{base.rpartition('/')[0]}/camera_info")
            node.create_subscription(CameraInfo, beside, self._on_info, QoSProfile(depth=1))

    @property
    def subscribed(self) -> bool:
        """Whether images are asked for."""
        return self._images is not None

    def publishers(self) -> int:
        """Return how many publish the image topic."""
        return self._node.count_publishers(self.topic)

    def update(self, wanted: bool) -> None:
        """Subscribe, leave, or subscribe anew if the publishers call for another reliability."""
        if not wanted:
            self._leave()
            return
        reliability = self._matching()
        if self._images is None:
            self._images = self._subscribe(reliability)
        elif reliability != self._images.qos_profile.reliability:
            name = reliability.name
            self._node.get_logger().info(f"{self.topic}: subscribing as {name}, like its publishers")
            self._leave()
            self._images = self._subscribe(reliability)

    def _matching(self) -> ReliabilityPolicy:
        if self._reliability != "auto":
            return ReliabilityPolicy[self._reliability.upper()]
        publishers = self._node.get_publishers_info_by_topic(self.topic)
        return matching_reliability(info.qos_profile.reliability for info in publishers)

    def _subscribe(self, reliability: ReliabilityPolicy) -> Subscription:
        return create_input(
            self._node,
            self._type,
            self.topic,
            self._on_image,
            reliability,
            lost=self._on_lost,
            silent=self._reliability == "auto",
        )

    def _leave(self) -> None:
        if self._images is not None:
            self._node.destroy_subscription(self._images)
            self._images = None

    def _on_lost(self, event: Any) -> None:
        self.lost += event.total_count_change

    def _on_info(self, info: CameraInfo) -> None:
        self.info = info
