"""The names of the classes for consumers of the mask, as ``vision_msgs/LabelInfo``."""

from __future__ import annotations

from rclpy.node import Node

from kd_seg_ros.card import ModelCard
from kd_seg_ros.qos import create_output


def publish_label_info(node: Node, card: ModelCard) -> bool:
    """Publish once, latched, on ``segmentation/label_info``: class id → name for every class of the model.

    :return: False, with nothing published, where ``vision_msgs`` is not installed.
    """
    try:
        from vision_msgs.msg import LabelInfo, VisionClass
    except ImportError:
        return False
    message = LabelInfo()
    message.header.stamp = node.get_clock().now().to_msg()
    message.class_map = [VisionClass(class_id=i, class_name=name) for i, name in enumerate(card.class_names)]
    message.threshold = 0.0  # every pixel keeps its most probable class
    create_output(node, LabelInfo, "segmentation/label_info", latched=True).publish(message)
    return True
