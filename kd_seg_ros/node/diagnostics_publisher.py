"""Publishing a state on ``/diagnostics``, through ``diagnostic_updater`` where it is installed.

Without it the same message is published by this module. In both cases the status is called ``<node, with its
namespace>: segmentation``, as the updater names it with ``diagnostic_updater.use_fqn``, so that the nodes of
several cameras differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

from kd_seg_ros.common.topics import DIAGNOSTICS

TASK: Final = "segmentation"
_FULL_NAME: Final = "diagnostic_updater.use_fqn"


@dataclass(frozen=True)
class Report:
    """The content of a message."""

    hardware: str
    """The message's ``hardware_id``."""
    level: bytes
    """One of the levels of ``diagnostic_msgs/DiagnosticStatus``."""
    message: str
    values: Mapping[str, str]


class DiagnosticsPublisher:
    """Publishes a report whenever :meth:`publish` is called; one for the life of a node."""

    def __init__(self, node: Node, task: str = TASK) -> None:
        """Make the topic.

        :param task: what the status is about; it stands after the node's name.
        """
        self._node = node
        self._task = task
        self._report: Report | None = None
        self._updater = self._make_updater()
        if self._updater is None:
            self._publisher = node.create_publisher(DiagnosticArray, DIAGNOSTICS, 1)

    def publish(self, report: Report) -> None:
        """Publish a report."""
        self._report = report
        if self._updater is not None:
            self._updater.setHardwareID(report.hardware)
            self._updater.force_update()
            return
        status = DiagnosticStatus(
            level=report.level,
            name=f"{self._node.get_fully_qualified_name()}: {self._task}",
            message=report.message,
            hardware_id=report.hardware,
            values=[KeyValue(key=key, value=value) for key, value in report.values.items()],
        )
        array = DiagnosticArray(status=[status])
        array.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(array)

    def _make_updater(self) -> Any | None:
        """Make a ``diagnostic_updater.Updater`` that publishes on demand; None if it is not installed."""
        try:
            from diagnostic_updater import Updater
        except ImportError:
            return None
        if not self._node.has_parameter(_FULL_NAME):
            self._node.declare_parameter(_FULL_NAME, True)
        updater = Updater(self._node)
        if hasattr(updater, "node_name"):  # it joins namespace and name by a slash, the root's one included
            updater.node_name = self._node.get_fully_qualified_name()
        timer = getattr(updater, "timer", None)
        if timer is not None:  # runs on the node's clock, which stands still with that of a paused bag
            timer.cancel()
        updater.setHardwareID("none")
        updater.add(self._task, self._fill)
        return updater

    def _fill(self, status: Any) -> Any:
        """Copy the newest report into the updater's message."""
        if self._report is None:
            return status
        status.summary(self._report.level, self._report.message)
        for key, value in self._report.values.items():
            status.add(key, value)
        return status
