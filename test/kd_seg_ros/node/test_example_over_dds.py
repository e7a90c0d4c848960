"""The program that docs/trust.md shows, against the node."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy")

from dds import ROOT, Client, rgb_message, running_node  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from std_msgs.msg import Bool  # noqa: E402
from tiny_model import write_tiny_model  # noqa: E402

HEIGHT, WIDTH = 48, 64


def example() -> dict[str, Any]:
    """Return what the page's program defines."""
    page = (ROOT / "docs" / "trust.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(code, "docs/trust.md", "exec"), names)
    return names


def street(confidence: int) -> np.ndarray:
    """Return an image that the model takes for road at the bottom, with a confidence, 0…255."""
    image = np.full((HEIGHT, WIDTH, 3), 250, np.uint8)
    image[2 * HEIGHT // 3 :, : WIDTH // 2, :2] = 5, confidence
    return image


def test_the_vehicle_stops_where_the_road_is_not_trusted(tmp_path: Path) -> None:
    client = Client("example")
    said = client.collect("stop", Bool)
    rclpy.init(args=["--ros-args", "-r", "__ns:=/example"])
    executor = SingleThreadedExecutor()
    planner = example()["FreeSpace"]()
    executor.add_node(planner)
    camera = client.publisher("image")
    model = write_tiny_model(tmp_path / "tiny.onnx", HEIGHT, WIDTH)
    try:
        with running_node("example", "-p", f"model:={model}", "-p", "provider:=cpu"):
            for second, (confidence, stop) in enumerate([(250, False), (200, True)], start=1):
                message = rgb_message(street(confidence), second)

                def told() -> bool:
                    camera.publish(message)  # noqa: B023
                    executor.spin_once(timeout_sec=0.05)
                    return bool(said) and said[-1].data == stop  # noqa: B023

                assert client.spin_until(told)
    finally:
        executor.shutdown()
        planner.destroy_node()
        rclpy.try_shutdown()
        client.close()
