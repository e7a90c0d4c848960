"""The names of the classes for consumers of the mask, as ``vision_msgs/LabelInfo``."""

from __future__ import annotations

from rclpy.node import Node

from kd_seg_ros.common.topics import LABEL_INFO, message_class
from kd_seg_ros.inference.card import ModelCard
from kd_seg_ros.node.qos import create_output


class LabelInfoPublisher:
    """Publishes the names of the model's classes, and the threshold, on a latched topic."""

    def __init__(self, node: Node, card: ModelCard) -> None:
        """Make the topic.

        :raises ImportError: where ``vision_msgs`` is not installed.
        """
        self._node = node
        self._message = message_class(LABEL_INFO)()
        from vision_msgs.msg import VisionClass

        self._message.class_map = [
            VisionClass(class_id=number, class_name=name) for number, name in enumerate(card.class_names)
        ]
        self._publisher = create_output(node, LABEL_INFO)

    def publish(self, threshold: float) -> None:
        """Publish the names.

        :param threshold: the confidence, 0…1, below which a pixel of the mask has no class.
        """
        self._message.header.stamp = self._node.get_clock().now().to_msg()
        self._message.threshold = threshold
        self._publisher.publish(self._message)

    def close(self) -> None:
        """Take back the topic."""
        self._node.destroy_publisher(self._publisher)
