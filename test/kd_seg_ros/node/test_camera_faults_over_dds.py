"""A camera that goes black, freezes and recovers, in the node's diagnostics."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy")

from dds import Client, rgb_message, running_node
from tiny_model import write_tiny_model

SIZE = (48, 64, 3)


def test_faults_are_told_by_name_and_end_by_themselves(tmp_path: Path) -> None:
    client = Client("faulty")
    client.collect("segmentation/mask")
    states, camera = client.diagnostics(), client.publisher("image")
    model = write_tiny_model(tmp_path / "tiny.onnx", *SIZE[:2])
    options = ["-p", f"model:={model}", "-p", "provider:=cpu", "-p", "diagnostics.period_s:=0.1"]
    options += ["-p", "diagnostics.camera_fault_s:=0.2", "-p", "diagnostics.frozen_camera_s:=0.2"]
    rng, seconds = np.random.default_rng(0), count(1)
    still = rng.integers(0, 256, SIZE, np.uint8)

    def reported(fault: str, noisy: bool, image: np.ndarray) -> bool:
        """Send the image, or others like it, until the newest report names the fault."""

        def told() -> bool:
            sent = rng.permuted(image, axis=1) if noisy else image
            camera.publish(rgb_message(sent, next(seconds)))
            return bool(states) and states[-1]["camera_fault"] == fault

        return client.spin_until(told)

    try:
        with running_node("faulty", *options):
            assert reported("black", False, np.zeros(SIZE, np.uint8))
            assert states[-1]["level"] == "1"
            assert "take the cap off the lens" in states[-1]["message"]
            assert reported("none", True, still)
            assert reported("frozen", False, still)
            assert "diagnostics.frozen_camera_s" in states[-1]["message"]
            assert reported("none", True, still)
    finally:
        client.close()
