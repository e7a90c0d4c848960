"""Why no image comes: each cause that can be seen leads to the advice that fits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kd_seg_ros.common.shared_memory import NEEDED
from kd_seg_ros.node.silence import (
    COMPRESSED_TYPE,
    RAW_TYPE,
    SharedMemory,
    Surroundings,
    cause,
    unusual_settings,
)

ROOM = SharedMemory(free=10 * NEEDED, foreign_owners=(), largest_of_others=0)
SEEN = Surroundings(
    topic="/image",
    compressed=False,
    publishers=0,
    obstacle="",
    published={},
    other_nodes=0,
    environment={},
    middleware="rmw_fastrtps_cpp",
    shared_memory=ROOM,
)
INFO = "sensor_msgs/msg/CameraInfo"


@pytest.mark.parametrize(
    ("changes", "advice"),
    [
        (
            {"published": {"/image/compressed": [COMPRESSED_TYPE], "/other": [RAW_TYPE]}},
            "nobody publishes it; but /image/compressed is published: set compressed to true",
        ),
        (
            {"topic": "/image/compressed", "compressed": True, "published": {"/image": [RAW_TYPE]}},
            "but /image is published: set compressed to false (compressed:=false)",
        ),
        (
            {"published": {"/image/theora": ["theora_image_transport/msg/Packet"]}},
            "only /image/theora exists, which this node does not read",
        ),
        (
            {"published": {"/front/image_raw": [RAW_TYPE], "/info": [INFO]}},
            "images are published on /front/image_raw: remap the image topic, as by image:=/front/image_raw",
        ),
        (
            {"topic": "/camera/image", "published": {"/a/b": [RAW_TYPE], "/camera/image_raw": [RAW_TYPE]}},
            "on /camera/image_raw, /a/b: remap the image topic, as by image:=/camera/image_raw",
        ),
        ({"published": {"/cam/compressed": [COMPRESSED_TYPE]}}, "as by image:=/cam compressed:=true"),
        (
            {"published": {f"/c{number}": [RAW_TYPE] for number in range(9)}, "other_nodes": 3},
            " and 5 more: remap",
        ),
        (
            {
                "published": {"/segmentation/mask": [RAW_TYPE], "/x/segmentation/mask": [RAW_TYPE]},
                "other_nodes": 2,
            },
            "no image topic is published, though 2 other nodes are seen: start the camera",
        ),
        (
            {"environment": {"ROS_DOMAIN_ID": "7", "ROS_LOCALHOST_ONLY": "1"}},
            "no other node is seen at all: start the camera, with the settings of this process "
            "(ROS_DOMAIN_ID=7, ROS_LOCALHOST_ONLY=1, rmw_fastrtps_cpp",
        ),
        ({}, "(ROS_DOMAIN_ID=0, rmw_fastrtps_cpp)"),
    ],
)
def test_nobody_publishes_the_topic(changes: dict[str, Any], advice: str) -> None:
    assert advice in cause(replace(SEEN, **changes))


@pytest.mark.parametrize(
    ("changes", "advice"),
    [
        ({"obstacle": "it is of another type"}, "it has 1 publisher, but it is of another type"),
        ({"publishers": 2}, "it has 2 publishers, but nothing arrives. Does the camera send (ros2 topic hz"),
        ({}, "If it does, large images need a larger shared-memory segment on the camera's side"),
        (
            {"shared_memory": replace(ROOM, largest_of_others=64 * 2**20)},
            "The shared memory is large enough; if it sends, start camera and node again",
        ),
        ({"shared_memory": replace(ROOM, free=5_000_000)}, "/dev/shm has 5 MB left"),
        ({"shared_memory": replace(ROOM, foreign_owners=(1000, 1001))}, "of another user (uid 1000, 1001)"),
        (
            {"shared_memory": replace(ROOM, free=0, foreign_owners=(7,)), "middleware": "rmw_zenoh_cpp"},
            "large images need larger buffers on the camera's side",
        ),
        ({"shared_memory": SharedMemory(None, (), 0)}, "large images need a larger shared-memory segment"),
    ],
)
def test_the_topic_has_publishers(changes: dict[str, Any], advice: str) -> None:
    text = cause(replace(SEEN, **({"publishers": 1} | changes)))
    assert advice in text
    assert "nobody publishes" not in text


def test_only_settings_that_matter_are_named() -> None:
    usual = {
        "ROS_DOMAIN_ID": "0",
        "ROS_LOCALHOST_ONLY": "0",
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET",
        "HOME": "/",
    }
    assert unusual_settings(usual) == []
    assert unusual_settings(
        {"ROS_AUTOMATIC_DISCOVERY_RANGE": "OFF", "RMW_IMPLEMENTATION": "rmw_zenoh_cpp"}
    ) == [
        "RMW_IMPLEMENTATION=rmw_zenoh_cpp",
        "ROS_AUTOMATIC_DISCOVERY_RANGE=OFF",
    ]
