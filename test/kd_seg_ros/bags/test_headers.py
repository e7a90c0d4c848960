from __future__ import annotations

from typing import Any

import pytest
from demo_drive import STORE

from kd_seg_ros.bags.headers import image_size, read_header

TYPES: Any = STORE.types
STAMP = 1_700_000_000_123_456_789


def header(frame_id: str) -> Any:
    time = TYPES["builtin_interfaces/msg/Time"](sec=STAMP // 10**9, nanosec=STAMP % 10**9)
    return TYPES["std_msgs/msg/Header"](stamp=time, frame_id=frame_id)


@pytest.mark.parametrize("little_endian", [True, False])
@pytest.mark.parametrize("frame_id", ["", "a", "abc", "camera", "камера"])
def test_header_and_size_are_those_that_were_serialised(frame_id: str, little_endian: bool) -> None:
    import numpy as np

    kind = "sensor_msgs/msg/Image"
    message = TYPES[kind](header(frame_id), 5, 70_000, "mono8", 0, 3, np.zeros(15, np.uint8))
    raw = bytes(STORE.serialize_cdr(message, kind, little_endian=little_endian))
    assert read_header(raw) == (STAMP, frame_id)
    assert image_size(raw) == (5, 70_000)


@pytest.mark.parametrize("length", [0, 3, 12, 20])
def test_what_is_cut_short_is_refused(length: int) -> None:
    kind = "sensor_msgs/msg/CompressedImage"
    import numpy as np

    message = TYPES[kind](header("camera_front"), "jpeg", np.zeros(3, np.uint8))
    raw = bytes(STORE.serialize_cdr(message, kind))
    assert read_header(raw).frame_id == "camera_front"
    with pytest.raises(ValueError, match="cut short"):
        read_header(raw[:length])


def test_a_header_that_ros_has_serialised() -> None:
    serialization = pytest.importorskip("rclpy.serialization")
    from sensor_msgs.msg import Image

    message = Image()
    message.header.stamp.sec, message.header.stamp.nanosec = 1_700_000_000, 123_456_789
    message.header.frame_id = "camera"
    found = read_header(serialization.serialize_message(message))
    assert found == (1_700_000_000_123_456_789, "camera")
