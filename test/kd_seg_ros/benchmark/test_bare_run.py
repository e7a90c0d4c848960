from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kd_seg_ros.benchmark.bare_run import BareRun, random_image, stamp_of
from kd_seg_ros.benchmark.tiny_model import write_tiny_model
from kd_seg_ros.inference.engine import Engine

SIZE = (48, 64)


def test_bare_run_and_engine_agree_on_the_tiny_model(tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path / "tiny.onnx", SIZE)
    engine = Engine(path, "cpu")
    assert engine.size == SIZE
    image = random_image(SIZE)
    prediction = engine.segment(image, probability=True)
    thirds = image.reshape(3, *SIZE)
    np.testing.assert_array_equal(prediction.mask, thirds[0] // 16)
    np.testing.assert_array_equal(prediction.confidence, thirds[1])
    assert prediction.probability is not None
    np.testing.assert_allclose(prediction.probability, thirds[1] / 255, rtol=1e-6)
    bare = BareRun(path, "cpu", SIZE)
    bare.run()
    np.testing.assert_array_equal(bare.maps["mask"], prediction.mask)
    np.testing.assert_array_equal(bare.maps["confidence"], prediction.confidence)


def test_the_stamp_is_read_from_the_serialised_message() -> None:
    serialization = pytest.importorskip("rclpy.serialization")
    from sensor_msgs.msg import Image

    message = Image()
    message.header.stamp.sec, message.header.stamp.nanosec = 1_700_000_000, 123_456_789
    assert stamp_of(serialization.serialize_message(message)) == 1_700_000_000_123_456_789
    assert stamp_of(b"\0\0\0\0\0\0\0\2\0\0\0\3") == 2_000_000_003  # big-endian
