"""The bag is checked for the camera's images before anything is started."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from drive_bag import write_bag
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

pytest.importorskip("ament_index_python")

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.launching import replay
from kd_seg_ros.launching.replay import check_camera, find_bag


@pytest.fixture(autouse=True)
def _without_ros2_bag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "has_ros2_bag", lambda: False)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    write_bag(tmp_path / "raw", frames=1)
    return tmp_path / "raw"


@pytest.fixture
def compressed(tmp_path: Path) -> Path:
    """A bag with compressed copies only."""
    store = get_typestore(Stores.ROS2_HUMBLE)
    kind = store.types["sensor_msgs/msg/CompressedImage"]
    header = store.types["std_msgs/msg/Header"](
        stamp=store.types["builtin_interfaces/msg/Time"](sec=1, nanosec=0), frame_id="camera"
    )
    with Writer(tmp_path / "copies", version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        topic = writer.add_connection("/camera/image_raw/compressed", kind.__msgtype__, typestore=store)
        message = kind(header=header, format="jpeg", data=np.zeros(4, np.uint8))
        writer.write(topic, 1, store.serialize_cdr(message, kind.__msgtype__))
    return tmp_path / "copies"


@pytest.mark.parametrize("given", ["", "false"])
def test_raw_images(raw: Path, given: str) -> None:
    assert check_camera(raw, "/camera/image_raw", given) == given


def test_compressed_copies_alone_are_subscribed_to(compressed: Path) -> None:
    assert check_camera(compressed, "/camera/image_raw", "") == "true"
    assert check_camera(compressed, "/camera/image_raw", "true") == "true"


def test_images_that_are_not_there(raw: Path, compressed: Path) -> None:
    with pytest.raises(UserError, match=r"image:=/image: not in .*raw, which has /camera/image_raw; did"):
        check_camera(raw, "/image", "")
    with pytest.raises(UserError, match=r"compressed:=true: .* has no /camera/image_raw/compressed: leave"):
        check_camera(raw, "/camera/image_raw", "true")
    with pytest.raises(UserError, match=r"compressed:=false: .* has no /camera/image_raw but"):
        check_camera(compressed, "/camera/image_raw", "false")


def test_a_bag_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"no bag: neither metadata\.yaml nor a file"):
        check_camera(tmp_path, "/image", "")
    monkeypatch.setattr(replay, "has_ros2_bag", lambda: True)
    assert check_camera(tmp_path, "/image", "") == "", "ros2 bag play may know better"


def test_where_a_bag_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_bag("~") == tmp_path
    with pytest.raises(UserError, match="bag:=~/none: no such bag"):
        find_bag("~/none")
