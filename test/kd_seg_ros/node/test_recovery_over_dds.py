"""A network that fails while it runs is started again, or else the node ends so that somebody can act."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy")

from dds import Client, as_array, rgb_message, start_node
from tiny_model import expected, write_tiny_model

GOOD = np.random.default_rng(0).integers(0, 200, (48, 64, 3), np.uint8)
BAD = np.full((48, 64, 3), 255, np.uint8)
"""The model's table ends before its first byte."""
WITHOUT_PAUSES = """
import sys
from kd_seg_ros.node import recovery
recovery.PAUSES_S = (0.0, 0.0, 0.0)
from kd_seg_ros.node.segmentation_node import main
sys.exit(main())
"""


@pytest.fixture
def client() -> Iterator[Client]:
    client = Client("failing")
    yield client
    client.close()


def test_restarts_are_tried_and_then_the_node_ends_with_status_1(tmp_path: Path, client: Client) -> None:
    model = write_tiny_model(tmp_path / "fragile.onnx", 48, 64, fragile=True)
    masks, states = client.collect("segmentation/mask"), client.diagnostics()
    camera = client.publisher("image")
    settings = ["-p", f"model:={model}", "-p", "provider:=cpu", "-p", "diagnostics.period_s:=0.2"]
    node = start_node("--ros-args", "-r", "__ns:=/failing", *settings, program=["-c", WITHOUT_PAUSES])
    node.wait_for("ready:")
    try:
        answer = client.ask(camera, rgb_message(GOOD, second=1), masks)
        np.testing.assert_array_equal(as_array(answer), expected(GOOD)[0])
        camera.publish(rgb_message(BAD, second=2))
        assert client.spin_until(
            lambda: states and "attempt 1 of 3 to start it again" in states[-1]["message"]
        )
        assert states[-1]["level"] == "2"
        client.ask(camera, rgb_message(GOOD, second=3), masks)
        assert client.spin_until(lambda: states[-1]["level"] == "0")
        for failed in range(2, 5):
            camera.publish(rgb_message(BAD, second=2 + failed))
            assert client.spin_until(lambda: int(states[-1]["frames_failed"]) >= failed)  # noqa: B023
        camera.publish(rgb_message(BAD, second=7))  # one more than there are attempts
        assert node.wait() == 1
    finally:
        node.stop()
    (line,) = [line for line in node.lines if line.startswith("error: ")]
    assert "fragile.onnx: running the network failed" in line
    assert "given up after 3 attempts" in line
    assert not any("Traceback" in line for line in node.lines)
