"""Run as a program: subscribe late to a node's label_info and print it as JSON."""

import json
import sys
import time

import rclpy
from rclpy.qos import DurabilityPolicy, QoSProfile
from vision_msgs.msg import LabelInfo

messages: list[LabelInfo] = []
rclpy.init()
node = rclpy.create_node("late_subscriber")
latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
node.create_subscription(LabelInfo, sys.argv[1], messages.append, latched)
deadline = time.monotonic() + 300
while not messages and time.monotonic() < deadline:
    rclpy.spin_once(node, timeout_sec=0.1)
for message in messages:
    classes = {entry.class_id: entry.class_name for entry in message.class_map}
    print(json.dumps({"classes": classes, "threshold": message.threshold}))
