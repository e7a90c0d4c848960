"""The node over DDS: the ground from above, with the meaning that planners expect."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("nav_msgs")

from dds import Client, as_array
from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import OccupancyGrid
from node_here import node_here
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

from kd_seg_ros.clouds import ground_node
from kd_seg_ros.clouds.labelled_cloud import POINT
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.node.messages import image_message

HEIGHT, WIDTH = 48, 64
PARAMETERS = {
    "camera_height": 1.5,
    "pitch": 10.0,
    "nearest": 2.0,
    "farthest": 8.0,
    "width": 8.0,
    "cell": 0.5,
    "coarsest": 5.0,
}


def running(namespace: str, **parameters: Any) -> AbstractContextManager[None]:
    """Run a ground_node in this process."""
    return node_here(ground_node.make, namespace, parameters)


@pytest.fixture
def client() -> Iterator[Client]:
    client = Client("ground")
    yield client
    client.close()


def camera_info() -> CameraInfo:
    info = CameraInfo(height=HEIGHT, width=WIDTH)
    info.k[0] = info.k[4] = 40.0
    info.k[2], info.k[5] = 31.5, 23.5
    return info


def send_halves(client: Client, *answers: list[Any]) -> list[Image]:
    """Send a mask, its left half road and its right half sidewalk, until all answers have come.

    :return: mask and confidence as they were sent.
    """
    mask, confidence = client.publisher("segmentation/mask"), client.publisher("segmentation/confidence")
    info = client.publisher("camera_info", CameraInfo)
    classes = np.zeros((HEIGHT, WIDTH), np.uint8)
    classes[:, WIDTH // 2 :] = 1
    maps = [image_message(Image().header, classes), image_message(Image().header, np.full_like(classes, 204))]
    for message in maps:
        message.header.stamp.sec, message.header.frame_id = 9, "camera"
    with running("ground", **PARAMETERS):

        def answered() -> bool:
            info.publish(camera_info())
            mask.publish(maps[0])
            confidence.publish(maps[1])
            return client.spin_until(lambda: all(answers), 0.3)

        assert client.spin_until(answered)
    return maps


def test_left_and_right_are_where_a_planner_looks_for_them(client: Client) -> None:
    """The left half of the picture is road, the right half sidewalk."""
    grids = client.collect("segmentation/ground", OccupancyGrid)
    pictures = client.collect("segmentation/ground_classes")
    maps = send_halves(client, grids, pictures)
    grid = grids[-1]
    assert grid.header.frame_id == "base_footprint"
    assert grid.header.stamp == maps[0].header.stamp
    assert (grid.info.width, grid.info.height) == (12, 16)
    assert grid.info.resolution == pytest.approx(0.5)
    assert (grid.info.origin.position.x, grid.info.origin.position.y) == (2.0, -4.0)
    assert grid.info.origin.orientation.w == 1.0
    cells = np.reshape(
        np.array(grid.data, np.int8), (16, 12)
    )  # rows along y, from the right; columns along x
    seen = cells != -1
    assert seen.any(axis=1).all()
    assert set(cells[8:][seen[8:]].tolist()) == {20}  # y above 0, the left: road at p = 0.8
    assert set(cells[:8][seen[:8]].tolist()) == {100}
    picture = as_array(pictures[-1])
    assert picture.shape == (12, 16)
    assert set(picture[:, :8].ravel().tolist()) <= {0, 255}
    assert set(picture[:, 8:].ravel().tolist()) <= {1, 255}
    # Far is at the top: the near edge is as narrow as the camera's view there.
    assert (picture[0] != 255).sum() >= (picture[-1] != 255).sum()


def test_points_lie_where_the_grid_has_their_cells(client: Client) -> None:
    """One moment, as points and as cells: the same classes in the same places."""
    clouds = client.collect("segmentation/ground_points", PointCloud2)
    pictures = client.collect("segmentation/ground_classes")
    classes = as_array(send_halves(client, clouds, pictures)[0])
    cloud = clouds[-1]
    assert (cloud.header.frame_id, cloud.header.stamp.sec) == ("base_footprint", 9)
    assert (cloud.height, cloud.width, cloud.point_step) == (HEIGHT, WIDTH, POINT.itemsize)
    assert [field.name for field in cloud.fields] == ["x", "y", "z", "label", "confidence"]
    points = np.frombuffer(cloud.data, POINT).reshape(HEIGHT, WIDTH)
    np.testing.assert_array_equal(points["label"], classes)
    assert (points["confidence"] == 204).all()
    known = np.isfinite(points["x"])
    assert not known[0].any(), "the sky"
    assert known[-1].all()
    assert (points["y"][:, : WIDTH // 2][known[:, : WIDTH // 2]] > 0).all(), "left"
    cells = as_array(pictures[-1])[::-1, ::-1]  # rows ahead, columns to the left
    inside = known & (points["x"] > 2) & (points["x"] < 8) & (np.abs(points["y"]) < 4)
    found = cells[
        ((points["x"][inside] - 2) / 0.5).astype(int), ((points["y"][inside] + 4) / 0.5).astype(int)
    ]
    shown = found != 255
    assert shown.mean() > 0.9
    assert (found[shown] == classes[inside][shown]).mean() > 0.97


def test_turned_maps_have_the_calibration_that_comes_with_them(client: Client) -> None:
    """The camera looks past its middle; of the turned picture that is the other side.

    Sizes do not tell one from the other, so that no grid may be made before the right one has come.
    """
    pictures = client.collect("segmentation/ground_classes")
    mask, confidence = client.publisher("segmentation/mask"), client.publisher("segmentation/confidence")
    info, of_maps = (
        client.publisher("camera_info", CameraInfo),
        client.publisher("segmentation/camera_info", CameraInfo),
    )
    states = client.collect("/diagnostics", DiagnosticArray)
    classes = np.zeros((HEIGHT, WIDTH), np.uint8)
    classes[:, WIDTH // 2 :] = 1
    maps = [image_message(Image().header, classes), image_message(Image().header, np.full_like(classes, 204))]
    turned = camera_info()
    turned.k[2] = 47.5  # the optical axis is in the right half: what is straight ahead is sidewalk
    with running("ground", **PARAMETERS):

        def send() -> None:
            info.publish(camera_info())
            mask.publish(maps[0])
            confidence.publish(maps[1])

        def told() -> bool:
            send()
            client.spin_until(lambda: bool(pictures), 0.3)
            wanted = "no calibration has come on /ground/segmentation/camera_info"
            return any(status.message == wanted for state in states for status in state.status)

        assert client.spin_until(told)
        assert not pictures

        def answered() -> bool:
            of_maps.publish(turned)
            send()
            return client.spin_until(lambda: bool(pictures), 0.3)

        assert client.spin_until(answered)
    ahead = as_array(pictures[-1])[0, 7:9]  # far away, to the left and to the right of the middle
    assert ahead.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"camera_height": 0.0}, "'pitch' is set, 'camera_height' is not"),
        ({"farthest": 1.0}, "'farthest' .1. must be greater than 'nearest' .2."),
        ({"cell": 0.01, "width": 300.0, "farthest": 300.0}, "choose a larger 'cell'"),
        ({"drivable": "rode"}, "no class 'rode'; did you mean 'road'"),
        ({"camera_hight": 1.0}, "did you mean 'camera_height'"),
    ],
)
def test_a_wrong_parameter_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message), running("ground", **(PARAMETERS | changes)):
        pass
