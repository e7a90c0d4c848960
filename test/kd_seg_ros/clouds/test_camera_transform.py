"""Where TF says the camera is: what ground_node makes of it over DDS, and what it says of nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("nav_msgs")
pytest.importorskip("geometry_msgs")

import tf2_stand_in
from dds import Client, as_array
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import Transform
from node_here import node_here
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import CameraInfo, Image

from kd_seg_ros.clouds import ground_node
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.node.camera_info import turned_camera_info
from kd_seg_ros.node.messages import image_message

HEIGHT, WIDTH = 48, 64
GRID = {"nearest": 2.0, "farthest": 8.0, "width": 8.0, "cell": 0.5, "coarsest": 5.0}
TILT = {"pitch": 10.0, "roll": 3.0, "yaw": -5.0}
CLASSES = np.random.default_rng(0).integers(0, 19, (HEIGHT, WIDTH)).astype(np.uint8)


@pytest.fixture
def client() -> Iterator[Client]:
    client = Client("ground")
    yield client
    client.close()


@pytest.fixture
def transforms(monkeypatch: pytest.MonkeyPatch) -> dict[tf2_stand_in.Key, Transform]:
    monkeypatch.setitem(sys.modules, "tf2_ros", tf2_stand_in)
    monkeypatch.setattr(tf2_stand_in, "TRANSFORMS", {})
    return tf2_stand_in.TRANSFORMS


def camera_info() -> CameraInfo:
    info = CameraInfo(height=HEIGHT, width=WIDTH)
    info.k = [40.0, 0.0, 30.0, 0.0, 40.0, 22.0, 0.0, 0.0, 1.0]
    return info


def transform(rotation: Rotation, x: float = 0.0, y: float = 0.0, z: float = 1.5) -> Transform:
    found = Transform()
    found.translation.x, found.translation.y, found.translation.z = x, y, z
    turn = found.rotation
    turn.x, turn.y, turn.z, turn.w = map(float, rotation.as_quat())
    return found


def optical() -> Rotation:
    """The optical frame of a camera with :data:`TILT`."""
    turn = Rotation.from_euler("ZYX", [TILT["yaw"], TILT["pitch"], TILT["roll"]], degrees=True)
    return turn * Rotation.from_quat((-0.5, 0.5, -0.5, 0.5))


class Sender:
    """A camera's maps, and what a node that listens to them publishes."""

    def __init__(self, client: Client, degrees: int = 0) -> None:
        self.client = client
        self.pictures = client.collect("segmentation/ground_classes")
        self.states = client.collect("/diagnostics", DiagnosticArray)
        self._maps = [client.publisher(f"segmentation/{name}") for name in ("mask", "confidence")]
        self._infos = {"camera_info": camera_info()}
        if degrees:
            self._infos["segmentation/camera_info"] = turned_camera_info(camera_info(), degrees)
        self._publishers = {name: client.publisher(name, CameraInfo) for name in self._infos}
        self._classes = np.ascontiguousarray(np.rot90(CLASSES, -degrees // 90))

    def send(self, stamp: int, frame_id: str = "camera_optical") -> None:
        """Publish one frame's maps and the calibrations, and let the node work."""
        for name, publisher in self._publishers.items():
            publisher.publish(self._infos[name])
        for publisher, values in zip(
            self._maps, (self._classes, np.full_like(self._classes, 204)), strict=True
        ):
            message = image_message(Image().header, values)
            message.header.stamp.sec, message.header.frame_id = stamp, frame_id
            publisher.publish(message)
        self.client.spin_until(lambda: False, 0.2)

    def grid(self, stamp: int = 9) -> Any:
        """Send until a grid of this stamp is there; return it."""

        def answered() -> bool:
            self.send(stamp)
            return bool(self.pictures) and self.pictures[-1].header.stamp.sec == stamp

        assert self.client.spin_until(answered)
        return as_array(self.pictures[-1])

    def complains(self, words: str, **frame: Any) -> bool:
        """Send until the node's state is an error with these words; return whether it comes to that."""
        self.states.clear()

        def told() -> bool:
            self.send(**{"stamp": 9, **frame})
            return any(words in status.message for status in self._errors())

        return bool(self.client.spin_until(told))

    def _errors(self) -> list[DiagnosticStatus]:
        statuses = [status for state in self.states for status in state.status]
        return [status for status in statuses if status.level == DiagnosticStatus.ERROR]


def running(**parameters: Any) -> Any:
    return node_here(ground_node.make, "ground", GRID | parameters)


Transforms = dict[tf2_stand_in.Key, Transform]


def test_a_transform_gives_the_grid_that_parameters_give(client: Client, transforms: Transforms) -> None:
    sender = Sender(client)
    with running(camera_height=1.5, camera_x=0.3, camera_y=-0.2, **TILT):
        expected = sender.grid()
    transforms["base_footprint", "camera_optical", 9 * 10**9] = transform(optical(), 0.3, -0.2)
    sender.pictures.clear()
    with running():
        found = sender.grid()
    np.testing.assert_array_equal(found, expected)
    assert len(np.unique(found)) > 5


def test_each_image_has_the_pose_of_its_time(client: Client, transforms: Transforms) -> None:
    sender = Sender(client)
    level = Rotation.from_quat((-0.5, 0.5, -0.5, 0.5))
    for second, height in ((9, 1.5), (10, 1.0)):
        transforms["base_footprint", "camera_optical", second * 10**9] = transform(level, z=height)
    with running():
        first, second = sender.grid(9), sender.grid(10)
        assert (first != second).any()
        np.testing.assert_array_equal(sender.grid(9), first)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_turned_maps_show_the_same_ground(client: Client, transforms: Transforms, degrees: int) -> None:
    transforms["base_footprint", "camera_optical", 9 * 10**9] = transform(optical())
    with running():
        expected = Sender(client).grid()
    with running(rotate=degrees):
        found = Sender(client, degrees).grid()
    # Where a cell's middle is half way between two pixels, one or the other is taken.
    assert (found == expected).mean() > 0.97


def test_says_what_is_missing(client: Client, transforms: Transforms) -> None:
    sender = Sender(client)
    with running():
        assert sender.complains(
            "TF does not say where 'camera_optical' is in 'base_footprint' at the image's time: Lookup would "
            "require extrapolation into the future. Publish it, or set 'camera_height' and 'pitch'"
        )
        assert sender.complains("frame_id is empty", frame_id="")
        key = ("base_footprint", "camera_link", 9 * 10**9)
        transforms[key] = transform(Rotation.identity())  # x forward, z up
        assert sender.complains("is no optical frame", frame_id="camera_link")
        transforms[key] = transform(optical(), z=-0.1)
        assert sender.complains("z = -0.10 m of the grid's frame", frame_id="camera_link")
        transforms["base_footprint", "camera_optical", 9 * 10**9] = transform(optical())
        assert sender.grid().size  # and it goes on


def test_nobody_publishes_transforms(client: Client, transforms: Transforms) -> None:
    sender = Sender(client)
    with running():

        def told() -> bool:
            client.spin_until(lambda: False, 0.3)
            return any(
                status.message.endswith("/tf or /tf_static")
                for state in sender.states
                for status in state.status
            )

        assert client.spin_until(told)


def test_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tf2_ros", None)
    with pytest.raises(UserError, match=r"'camera_height' is not set.*tf2_ros is not installed"), running():
        pass


@pytest.mark.parametrize("name", ["pitch", "roll", "yaw", "camera_x", "camera_y"])
def test_a_tilt_or_place_without_a_height_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=f"'{name}' is set, 'camera_height' is not"), running(**{name: 1.0}):
        pass
