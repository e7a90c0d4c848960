"""The node over DDS: runs with the mask's header and size."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

pytest.importorskip("rclpy")

from dds import Client
from node_here import node_here
from sensor_msgs.msg import Image

from kd_seg_ros.clouds import autoware_node
from kd_seg_ros.clouds.autoware_mask import RUN
from kd_seg_ros.node.messages import image_message


@pytest.fixture
def client() -> Iterator[Client]:
    client = Client("autoware")
    yield client
    client.close()


def test_a_mask_becomes_runs_of_autowares_classes(client: Client) -> None:
    answers = client.collect("segmentation/autoware_mask")
    mask = client.publisher("segmentation/mask")
    given = image_message(Image().header, np.array([[0, 0, 1], [1, 13, 255]], np.uint8))
    given.header.stamp.sec, given.header.frame_id = 7, "camera"
    with node_here(autoware_node.make, "autoware", {}):
        answer = client.ask(mask, given, answers)
    assert answer.header == given.header
    assert (answer.height, answer.width, answer.encoding) == (2, 3, "mono8")
    runs = np.frombuffer(answer.data, RUN)
    assert runs.tolist() == [(9, 2), (10, 2), (7, 1), (0, 1)]
