"""The same message with diagnostic_updater and without."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

rclpy = pytest.importorskip("rclpy")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue  # noqa: E402
from rclpy.context import Context  # noqa: E402
from rclpy.node import Node  # noqa: E402

from kd_seg_ros.node.diagnostics_publisher import DiagnosticsPublisher, Report  # noqa: E402

VALUES = {"output_rate_hz": "20.0", "provider": "CPU"}


class StatusWrapper(DiagnosticStatus):
    """The part of diagnostic_updater.DiagnosticStatusWrapper's interface that is used."""

    def summary(self, level: bytes, message: str) -> None:
        self.level, self.message = level, message

    def add(self, key: str, value: str) -> None:
        self.values.append(KeyValue(key=key, value=value))


class Updater:
    """The part of diagnostic_updater.Updater's interface that is used, and its timer."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.tasks: list[tuple[str, Callable[[Any], Any]]] = []
        self.publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 1)
        self.timer = node.create_timer(1.0, self.force_update)
        full = node.get_parameter("diagnostic_updater.use_fqn").value
        self.node_name = "/".join([node.get_namespace(), node.get_name()]) if full else node.get_name()

    def setHardwareID(self, hardware: str) -> None:  # noqa: N802
        self.hardware = hardware

    def add(self, name: str, task: Callable[[Any], Any]) -> None:
        self.tasks.append((name, task))

    def force_update(self) -> None:
        array = DiagnosticArray()
        array.header.stamp = self.node.get_clock().now().to_msg()
        for name, task in self.tasks:
            status = task(StatusWrapper(hardware_id=self.hardware))
            status.name = f"{self.node_name}: {name}"
            array.status.append(status)
        self.publisher.publish(array)


@pytest.fixture(params=["/left", "/"])
def node(request: pytest.FixtureRequest) -> Iterator[Node]:
    context = Context()
    rclpy.init(context=context)
    node = Node("segmentation", namespace=request.param, context=context)
    yield node
    node.destroy_node()
    context.try_shutdown()


@pytest.mark.parametrize("installed", [False, True])
def test_message(node: Node, monkeypatch: pytest.MonkeyPatch, installed: bool) -> None:
    library = ModuleType("diagnostic_updater")
    library.Updater = Updater  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "diagnostic_updater", library if installed else None)
    diagnostics = DiagnosticsPublisher(node)
    sent: list[DiagnosticArray] = []
    used: Any = diagnostics._updater.publisher if installed else diagnostics._publisher  # type: ignore[union-attr]
    monkeypatch.setattr(used, "publish", sent.append)
    diagnostics.publish(Report("GPU 0", DiagnosticStatus.WARN, "hot", VALUES))
    (array,) = sent
    (status,) = array.status
    assert array.header.stamp.sec > 0
    name = "/segmentation" if node.get_namespace() == "/" else "/left/segmentation"
    assert (status.name, status.level, status.message) == (f"{name}: segmentation", b"\x01", "hot")
    assert status.hardware_id == "GPU 0"
    assert {pair.key: pair.value for pair in status.values} == VALUES
    assert all(timer.is_canceled() for timer in node.timers), "the node's own timer decides when"
