from __future__ import annotations

import sys

import cv2
import numpy as np
import pytest

pytest.importorskip("sensor_msgs")

from std_msgs.msg import Header

from kd_seg_ros.node.messages import image_message, mapped_image, png_message

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


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_what_is_written_to_the_array_is_in_the_message(dtype: type) -> None:
    message, view = mapped_image((5, 7), dtype)
    assert view.shape == (5, 7)
    for value in (3, 250):
        view[...] = value
        view[4, 6] = 1
        assert bytes(message.data) == view.tobytes()
        assert np.frombuffer(message.data, dtype)[-1] == 1


def test_a_png_holds_the_mask_as_it_is() -> None:
    header = Header(frame_id="camera")
    mask = np.random.default_rng(0).integers(0, 256, (9, 13), np.uint8)
    message = png_message(header, mask)
    assert message.header == header
    assert message.format == "mono8; png compressed "
    np.testing.assert_array_equal(
        cv2.imdecode(np.frombuffer(message.data, np.uint8), cv2.IMREAD_UNCHANGED), mask
    )
