"""The shipped Fast DDS profile: a best-effort subscription must hear 1080p colour images."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

rclpy = pytest.importorskip("rclpy")

from dds import ROOT, start_node  # noqa: E402
from patient_process import LONG  # noqa: E402

from kd_seg_ros.common.fast_dds import MEMORY, PROFILES  # noqa: E402

PROFILE = ROOT / "config" / "fastdds_large_images.xml"

# A publisher in its own process: rgb8 images of 1920×1080 at 20 Hz until it is killed.
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
while True:
    publisher.publish(image)
    time.sleep(0.05)
"""

SUBSCRIBER = """
import sys
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
    received.append(image)
qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
node.create_subscription(Image, "large", listen, qos)
deadline = time.monotonic() + float(sys.argv[1])
while len(received) < 10 and time.monotonic() < deadline:
    rclpy.spin_once(node, timeout_sec=0.1)
print(len(received))
"""


def test_a_best_effort_subscription_hears_large_images() -> None:
    """Ten whole ones, however many a busy machine loses between them; none with the default transport."""
    environment = os.environ | {"FASTDDS_DEFAULT_PROFILES_FILE": str(PROFILE)}
    publisher = subprocess.Popen([sys.executable, "-c", PUBLISHER], env=environment)
    try:
        command = [sys.executable, "-c", SUBSCRIBER, str(LONG)]
        subscriber = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=2 * LONG
        )
    finally:
        publisher.kill()
        publisher.wait()
    assert subscriber.returncode == 0, subscriber.stderr
    assert "XMLPARSER" not in subscriber.stderr
    assert int(subscriber.stdout) == 10


@pytest.mark.parametrize("own", [False, True])
def test_a_node_started_by_itself_uses_the_profile_unless_the_user_has_one(
    monkeypatch: pytest.MonkeyPatch, own: bool
) -> None:
    """Its segment of shared memory is that of the profile, and one line says so."""
    for name in (*PROFILES, *MEMORY):
        monkeypatch.delenv(name, raising=False)
    if own:
        monkeypatch.setenv(PROFILES[0], "")  # the user wants none
    with start_node("--ros-args", "-p", "provider:=cpu", "-r", f"__ns:=/own_{own}") as node:
        node.wait_for("ready:")
        segments = mapped_segments(node.pid)
    said = [line for line in node.lines if "large images: Fast DDS uses " in line]
    assert len(said) == (not own)
    assert all("[INFO]" in line for line in said)
    assert (max(segments) > 64 * 2**20) == (not own)


def mapped_segments(pid: int) -> list[int]:
    """Return the sizes in bytes of the segments of Fast DDS' that a process has mapped for writing."""
    sizes = []
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        addresses, access, *_ = line.split()
        if "w" in access and re.search(r"/dev/shm/fast(dds|rtps)_[0-9a-f]{16}$", line):
            begin, end = addresses.split("-")
            sizes.append(int(end, 16) - int(begin, 16))
    return sizes


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
