"""The node tells when the confidence is unlike that of the images its model was calibrated on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy")

from dds import Client, rgb_message, running_node
from tiny_model import write_tiny_model

CENTRES = [(i + 0.5) / 15 for i in range(15)]
TABLE = {"confidence": CENTRES, "accuracy": [0.9 * c for c in CENTRES], "share": [1 / 15] * 15}


@pytest.fixture
def client() -> Iterator[Client]:
    client = Client("drift")
    yield client
    client.close()


def test_an_unlike_confidence_is_a_warning_with_its_numbers(tmp_path: Path, client: Client) -> None:
    model = write_tiny_model(
        tmp_path / "tiny.onnx",
        48,
        64,
        reliability={"full": TABLE},
        expected_accuracy={"full": [0.6, 0.89]},
    )
    settings = ["-p", f"model:={model}", "-p", "provider:=cpu", "-p", "diagnostics.period_s:=0.2"]
    with running_node("drift", *settings, "-p", "drift_window:=5.0"):
        camera, masks, states = (
            client.publisher("image"),
            client.collect("segmentation/mask"),
            client.diagnostics(),
        )
        # The tiny model's confidence is the green channel.
        sure, unsure = np.full((48, 64, 3), 250, np.uint8), np.full((48, 64, 3), 30, np.uint8)
        client.ask(camera, rgb_message(sure, second=1), masks)

        def judged() -> bool:
            """Again and again: what has been seen leaves the window before a busy machine hears of it."""
            camera.publish(rgb_message(sure, second=1))
            return bool(states) and "expected_accuracy" in states[-1]

        assert client.spin_until(judged)
        state = states[-1]
        assert (state["level"], state["expected_accuracy"]) == ("0", f"{0.9 * CENTRES[14]:.4f}")
        assert state["expected_accuracy_latest_image"] == state["expected_accuracy"]
        assert state["expected_accuracy_in_calibration"] == "0.6000 to 0.8900"

        def warned() -> bool:
            camera.publish(rgb_message(unsure, second=2))
            return bool(states[-1]["message"].startswith("the confidence is unlike"))

        assert client.spin_until(warned)
        assert states[-1]["level"] == "1"
        assert "60.0% to 89.0%" in states[-1]["message"]
        # What is older than the window no longer counts.
        assert client.spin_until(lambda: "expected_accuracy" not in states[-1])
