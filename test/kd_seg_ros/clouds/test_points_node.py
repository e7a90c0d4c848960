"""The node over DDS: clouds for those who listen, and a sentence where nothing can come out."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")

from dds import Client
from node_here import node_here
from sensor_msgs.msg import CameraInfo, Image, PointCloud2, PointField

from kd_seg_ros.clouds import points_node
from kd_seg_ros.clouds.labelled_cloud import POINT
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.picture import turn
from kd_seg_ros.node.messages import image_message

HEIGHT, WIDTH = 12, 16
RNG = np.random.default_rng(0)
MASK, CONFIDENCE = RNG.integers(0, 19, (2, HEIGHT, WIDTH), np.uint8)
DEPTH = RNG.uniform(1, 30, (HEIGHT, WIDTH)).astype(np.float32)


def running(namespace: str, **parameters: Any) -> AbstractContextManager[None]:
    """Run a points_node in this process."""
    return node_here(points_node.make, namespace, parameters)


@pytest.fixture
def client() -> Iterator[Client]:
    client = Client("cloud")
    yield client
    client.close()


def stamped(message: Any, nanosecond: int = 0, frame: str = "camera") -> Any:
    message.header.stamp.sec, message.header.stamp.nanosec = 8, nanosecond
    message.header.frame_id = frame
    return message


def calibration() -> CameraInfo:
    info = CameraInfo(height=HEIGHT, width=WIDTH)
    info.k[0] = info.k[4] = 20.0
    info.k[2], info.k[5] = 7.5, 5.5
    return info


def map_message(pixels: Any) -> Image:
    return stamped(image_message(Image().header, pixels), 500)


def points_of(cloud: PointCloud2) -> Any:
    return np.frombuffer(cloud.data, POINT).reshape(cloud.height, cloud.width)


def test_a_depth_image_becomes_a_cloud_with_classes(client: Client) -> None:
    clouds = client.collect("segmentation/points", PointCloud2)
    mask, confidence = client.publisher("segmentation/mask"), client.publisher("segmentation/confidence")
    depth, info = client.publisher("depth/image"), client.publisher("depth/camera_info", CameraInfo)
    given = stamped(image_message(Image().header, DEPTH), 700, "depth_camera")
    with running("cloud"):

        def answered() -> bool:
            info.publish(stamped(calibration(), 700))
            depth.publish(given)
            mask.publish(map_message(MASK))
            confidence.publish(map_message(CONFIDENCE))
            client.spin_until(lambda: clouds, 0.3)
            return bool(clouds)

        assert client.spin_until(answered)
    cloud = clouds[-1]
    assert cloud.header == given.header
    assert [field.name for field in cloud.fields] == ["x", "y", "z", "label", "confidence"]
    assert not cloud.is_dense
    points = points_of(cloud)
    np.testing.assert_array_equal(points["label"], MASK)
    np.testing.assert_array_equal(points["confidence"], CONFIDENCE)
    np.testing.assert_array_equal(points["z"], DEPTH)
    v, u = np.indices(MASK.shape)
    np.testing.assert_allclose(points["x"], DEPTH * (u - 7.5) / 20, rtol=1e-5)
    np.testing.assert_allclose(points["y"], DEPTH * (v - 5.5) / 20, rtol=1e-5)
    for number, field in enumerate(cloud.fields):
        assert POINT.fields is not None
        assert field.offset == POINT.fields[field.name][1]
        assert field.datatype == (PointField.FLOAT32 if number < 3 else PointField.UINT8)


def test_a_cloud_keeps_its_points_and_gets_classes(client: Client) -> None:
    clouds = client.collect("segmentation/points", PointCloud2)
    mask, confidence = client.publisher("segmentation/mask"), client.publisher("segmentation/confidence")
    source = client.publisher("points", PointCloud2)
    coordinates = RNG.normal(size=(HEIGHT, WIDTH, 3)).astype(np.float32)
    given = PointCloud2(
        height=HEIGHT,
        width=WIDTH,
        point_step=12,
        row_step=12 * WIDTH,
        fields=[
            PointField(name=name, offset=4 * axis, datatype=7, count=1) for axis, name in enumerate("xyz")
        ],
        data=array("B", coordinates.tobytes()),
    )
    stamped(given, 500, "lidar")
    with running("cloud", source="points"):

        def answered() -> bool:
            source.publish(given)
            mask.publish(map_message(MASK))
            confidence.publish(map_message(CONFIDENCE))
            client.spin_until(lambda: clouds, 0.3)
            return bool(clouds)

        assert client.spin_until(answered)
    assert clouds[-1].header == given.header
    points = points_of(clouds[-1])
    np.testing.assert_array_equal(np.stack([points["x"], points["y"], points["z"]], axis=-1), coordinates)
    np.testing.assert_array_equal(points["label"], MASK)


@pytest.mark.parametrize("rotate", [90, 180, 270])
def test_the_maps_of_a_turned_camera_find_their_points(client: Client, rotate: int) -> None:
    """A point has depth and class of one pixel of the camera, and the place that it had unturned."""
    clouds = client.collect("segmentation/points", PointCloud2)
    mask, confidence = client.publisher("segmentation/mask"), client.publisher("segmentation/confidence")
    depth, info = client.publisher("depth/image"), client.publisher("depth/camera_info", CameraInfo)
    given = stamped(image_message(Image().header, DEPTH), 500, "depth_camera")
    with running("cloud", rotate=rotate):

        def answered() -> bool:
            info.publish(stamped(calibration(), 500))
            depth.publish(given)
            mask.publish(map_message(turn(MASK, rotate)))
            confidence.publish(map_message(turn(CONFIDENCE, rotate)))
            client.spin_until(lambda: clouds, 0.3)
            return bool(clouds)

        assert client.spin_until(answered)
    points = points_of(clouds[-1])
    np.testing.assert_array_equal(points["label"], turn(MASK, rotate))
    as_the_camera_has_it = np.rot90(points, rotate // 90)
    np.testing.assert_array_equal(as_the_camera_has_it["label"], MASK)
    np.testing.assert_array_equal(as_the_camera_has_it["z"], DEPTH)
    v, u = np.indices(MASK.shape)
    np.testing.assert_allclose(as_the_camera_has_it["x"], DEPTH * (u - 7.5) / 20, rtol=1e-5)
    np.testing.assert_allclose(as_the_camera_has_it["y"], DEPTH * (v - 5.5) / 20, rtol=1e-5)


def test_nothing_is_subscribed_to_while_nobody_listens(client: Client) -> None:
    mask = client.publisher("segmentation/mask")
    states = client.diagnostics()
    with running("cloud"):
        assert client.spin_until(lambda: states)
        assert states[-1]["message"] == "idle: nobody listens"
        assert mask.get_subscription_count() == 0
        client.collect("segmentation/points", PointCloud2)
        assert client.spin_until(lambda: mask.get_subscription_count() == 1)


def test_what_keeps_clouds_from_coming_is_said(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kd_seg_ros.clouds.map_listener.PATIENCE_S", 0.0)
    client.collect("segmentation/points", PointCloud2)
    states = client.diagnostics()

    def said(part: str) -> bool:
        return client.spin_until(lambda: any(part in state["message"] for state in states))

    with running("cloud", max_stamp_difference_s=0.01):
        assert said("nobody publishes /cloud/segmentation/mask, /cloud/segmentation/confidence, /cloud/depth")
        mask, confidence = client.publisher("segmentation/mask"), client.publisher("segmentation/confidence")
        depth, info = client.publisher("depth/image"), client.publisher("depth/camera_info", CameraInfo)
        # Depths are half a second late.
        late = stamped(image_message(Image().header, DEPTH), 500_000_500)

        def publish(given: Image) -> None:
            depth.publish(given)
            mask.publish(map_message(MASK))
            confidence.publish(map_message(CONFIDENCE))

        def told(part: str, given: Image) -> bool:
            def heard() -> bool:
                publish(given)
                client.spin_until(lambda: False, 0.2)
                return any(part in state["message"] for state in states)

            return client.spin_until(heard)

        assert told("the nearest depth is 0.500 s from the mask", late)
        assert told("no calibration has come on /cloud/depth/camera_info", stamped(late, 500))
        info.publish(stamped(CameraInfo(height=HEIGHT, width=WIDTH)))
        assert told("camera_info is not calibrated", late)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("source", "lidar", "'source' must be one of depth, points"),
        ("max_stamp_difference_s", "-1.0", "0.0 to 10.0"),
        ("sourc", "depth", "did you mean 'source'"),
    ],
)
def test_a_wrong_parameter_is_refused(name: str, value: str, message: str) -> None:
    with pytest.raises(UserError, match=message), running("cloud", **{name: value}):
        pass
