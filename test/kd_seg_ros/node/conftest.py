"""A node in the test's own process, with a network that can be held still."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture
def held_node(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The parts of a node in this process."""
    rclpy = pytest.importorskip("rclpy")
    from held_engine import HeldEngine

    from kd_seg_ros.node import recovery, segmentation
    from kd_seg_ros.node.segmentation_node import SegmentationNode

    monkeypatch.setattr(segmentation, "Engine", HeldEngine)
    monkeypatch.setattr(recovery, "PAUSES_S", (0.0, 0.0, 0.0))
    options = ["provider:=cpu", "active:=always", "diagnostics.camera_fault_s:=0.0"]
    options.append("diagnostics.frozen_camera_s:=0.0")
    given = [word for option in options for word in ("-p", option)]
    rclpy.init(args=["--ros-args", "-r", "__ns:=/held", *given])
    node = SegmentationNode("segmentation")
    parts: Any = node.segmentation
    yield parts
    parts._engine.go_on.set()
    node.stop()
    node.destroy_node()
    rclpy.try_shutdown()
