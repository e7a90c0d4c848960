"""The shipped Fast DDS profile: a best-effort subscription must hear 1080p colour images."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest

rclpy = pytest.importorskip("rclpy")

from dds import ROOT  # noqa: E402

PROFILE = ROOT / "config" / "fastdds_large_images.xml"

# A publisher in a process of its own: 40 rgb8 images of 1920×1080 at 20 Hz once it is subscribed to.
PUBLISHER = """
import time
from array import array
import rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
rclpy.init()
node = rclpy.create_node("camera")
qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
publisher = node.create_publisher(Image, "large", qos)
image = Image(height=1080, width=1920, encoding="rgb8", step=5760, data=array("B", bytes(range(256)) * 24300))
while not publisher.get_subscription_count():
    time.sleep(0.05)
time.sleep(1)
for number in range(40):
    image.header.stamp.sec = number
    publisher.publish(image)
    time.sleep(0.05)
time.sleep(1)
"""

SUBSCRIBER = """
import time
import rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
whole = bytes(range(256)) * 24300
rclpy.init()
node = rclpy.create_node("listener")
received = []
def listen(image):
    assert bytes(image.data) == whole
    received.append(image.header.stamp.sec)
qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
node.create_subscription(Image, "large", listen, qos)
deadline = time.monotonic() + 30
while 39 not in received and time.monotonic() < deadline:
    rclpy.spin_once(node, timeout_sec=0.1)
print(len(received))
"""


def test_two_processes_lose_nearly_nothing() -> None:
    environment = os.environ | {"FASTDDS_DEFAULT_PROFILES_FILE": str(PROFILE)}
    publisher = subprocess.Popen([sys.executable, "-c", PUBLISHER], env=environment)
    try:
        subscriber = subprocess.run(
            [sys.executable, "-c", SUBSCRIBER], env=environment, capture_output=True, text=True, timeout=60
        )
    finally:
        publisher.kill()
        publisher.wait()
    assert subscriber.returncode == 0, subscriber.stderr
    assert "XMLPARSER" not in subscriber.stderr
    assert int(subscriber.stdout) >= 20  # all 40 on an idle machine; none with the default transport


def test_profile_leaves_other_machines_reachable() -> None:
    """Shared memory for this machine and UDP for others, in place of the built-in transports."""
    space = {"d": "http://www.eprosima.com"}
    root = ElementTree.parse(PROFILE).getroot()
    kinds = {
        transport.findtext("d:transport_id", namespaces=space): transport.findtext("d:type", namespaces=space)
        for transport in root.iterfind(".//d:transport_descriptor", space)
    }
    participant = root.find(".//d:participant[@is_default_profile='true']/d:rtps", space)
    assert participant is not None
    used = [entry.text for entry in participant.iterfind("d:userTransports/d:transport_id", space)]
    assert sorted(kinds[name] or "" for name in used) == ["SHM", "UDPv4"]
    assert participant.findtext("d:useBuiltinTransports", namespaces=space) == "false"
    assert int(root.findtext(".//d:segment_size", namespaces=space) or 0) == 64 * 2**20
