from __future__ import annotations

import sys

import numpy as np
import pytest

pytest.importorskip("sensor_msgs")

from std_msgs.msg import Header

from kd_seg_ros.messages import image_message

BYTES = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)


@pytest.mark.parametrize(
    ("pixels", "encoding", "step"),
    [
        (BYTES[..., 0], "mono8", 7),  # every third byte: not contiguous
        (BYTES, "bgr8", 21),
        (BYTES[..., ::-1], "bgr8", 21),
        (np.linspace(0, 1, 35, dtype=np.float32).reshape(5, 7), "32FC1", 28),
    ],
)
def test_image_message(pixels: np.ndarray, encoding: str, step: int) -> None:
    header = Header(frame_id="camera")
    header.stamp.sec, header.stamp.nanosec = 12, 34
    message = image_message(header, pixels)
    assert message.header == header
    assert (message.height, message.width, message.encoding, message.step) == (5, 7, encoding, step)
    assert message.is_bigendian == (sys.byteorder == "big")
    assert bytes(message.data) == pixels.tobytes()
