"""What the subscription to a camera says of publishers that it cannot hear, and of what they lose."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

rclpy = pytest.importorskip("rclpy")

from dds import Client, wait_until  # noqa: E402
from rclpy.qos import QoSProfile, ReliabilityPolicy  # noqa: E402
from sensor_msgs.msg import CameraInfo, CompressedImage, Image  # noqa: E402

from kd_seg_ros.node.camera import NUMBERED, CameraSubscription  # noqa: E402

BEST_EFFORT = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)


@pytest.fixture
def client(request: pytest.FixtureRequest) -> Iterator[Client]:
    client = Client(request.function.__name__)
    yield client
    client.close()


def camera(client: Client, reliability: str = "auto", **options: Any) -> CameraSubscription:
    settings = {"compressed": False, "with_info": False, **options}
    return CameraSubscription(client.node, lambda _: None, reliability=reliability, **settings)


def test_a_topic_of_another_type_is_told(client: Client) -> None:
    seen = camera(client)
    client.node.create_publisher(CompressedImage, seen.topic, 1)
    assert wait_until(lambda: seen.publishers() == 1)
    kinds = "sensor_msgs/msg/CompressedImage, not sensor_msgs/msg/Image"
    assert seen.obstacle() == f"it is of type {kinds}: see the parameter compressed"
    other = Client("other")  # Fast DDS allows a process one type a topic
    try:
        other.node.create_publisher(Image, seen.topic, 1)
        assert wait_until(lambda: seen.publishers() == 2)
        assert seen.obstacle() == ""
    finally:
        other.close()


def test_a_reliability_that_does_not_fit_is_told(client: Client) -> None:
    strict, fitting = camera(client, "reliable"), camera(client)
    assert strict.obstacle() == ""
    client.node.create_publisher(Image, strict.topic, BEST_EFFORT)
    assert wait_until(lambda: strict.publishers() == 1)
    assert "best effort, and the parameter reliability is 'reliable'" in strict.obstacle()
    assert fitting.obstacle() == ""


def test_the_calibration_of_a_best_effort_camera_is_heard(client: Client) -> None:
    seen = camera(client, with_info=True)
    topic = f"{seen.topic.rpartition('/')[0]}/camera_info"
    publisher = client.node.create_publisher(CameraInfo, topic, BEST_EFFORT)

    def heard() -> bool:
        publisher.publish(CameraInfo(width=7))
        return seen.info is not None

    assert client.spin_until(heard)
    assert seen.info is not None
    assert seen.info.width == 7


@pytest.mark.skipif(not NUMBERED, reason="rclpy does not tell the number of a message")
def test_messages_are_numbered_by_their_publisher(client: Client) -> None:
    """The count of lost images is made of the numbers that the middleware gives."""
    seen = camera(client)
    publisher = client.node.create_publisher(Image, seen.topic, 10)
    assert wait_until(lambda: seen.publishers() == 1)
    seen.update(True)
    assert wait_until(lambda: publisher.get_subscription_count() == 1)
    seen.update(True)
    numbers: list[int | None] = []
    note = seen._gaps.note

    def keep(number: int | None) -> None:
        numbers.append(number)
        note(number)

    seen._gaps.note = keep  # type: ignore[method-assign]
    for count in range(1, 4):
        publisher.publish(Image())
        assert client.spin_until(lambda expected=count: len(numbers) == expected)  # type: ignore[misc]
    assert numbers == [1, 2, 3]
    assert seen.lost == 0
    for _ in range(5):  # the queue keeps the newest only
        publisher.publish(Image())
    assert client.spin_until(lambda: numbers[-1] == 8)
    assert seen.lost == 8 - len(numbers)
