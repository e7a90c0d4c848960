"""The names of the classes for consumers of the mask, as ``vision_msgs/LabelInfo``."""

from __future__ import annotations

from rclpy.node import Node

from kd_seg_ros.inference.card import ModelCard
from kd_seg_ros.node.qos import create_output


class LabelInfoPublisher:
    """Latched ``segmentation/label_info``: the names of the model's classes, and the threshold."""

    def __init__(self, node: Node, card: ModelCard) -> None:
        """Make the topic.

        :raises ImportError: where ``vision_msgs`` is not installed.
        """
        from vision_msgs.msg import LabelInfo, VisionClass

        self._node = node
        self._message = LabelInfo()
        self._message.class_map = [
            VisionClass(class_id=i, class_name=name) for i, name in enumerate(card.class_names)
        ]
        self._publisher = create_output(node, LabelInfo, "segmentation/label_info", latched=True)

    def publish(self, threshold: float) -> None:
        """Publish the names with the confidence below which the mask has no class."""
        self._message.header.stamp = self._node.get_clock().now().to_msg()
        self._message.threshold = threshold
        self._publisher.publish(self._message)
