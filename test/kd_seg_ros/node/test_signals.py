"""Ending by a signal, in separate processes."""

from __future__ import annotations

import signal
import sys

import pytest

pytest.importorskip("rclpy")

import dds  # noqa: F401  (isolated domain)
from patient_process import PatientProcess

HUNG = """
import sys
from kd_seg_ros.node import segmentation_node, signals
signals.PATIENCE_S = 0.5

class HungEngine:
    def __init__(self, *_, **__):
        print("running", flush=True)
        while True:  # as a model's first run that never ends
            pass

from kd_seg_ros.node import segmentation
segmentation.Engine = HungEngine
sys.exit(segmentation_node.main())
"""
IGNORING = """
import signal
signal.signal(signal.SIGHUP, signal.SIG_IGN)
from kd_seg_ros.node.signals import end_on_hangup
end_on_hangup()
signal.raise_signal(signal.SIGHUP)
print("lives", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_model_that_never_answers_does_not_make_the_node_deaf(number: signal.Signals) -> None:
    with PatientProcess("node", [sys.executable, "-c", HUNG]) as node:
        node.wait_for("running")
        node.interrupt(number)
        assert node.wait() == 1
    (line,) = [line for line in node.lines if line.startswith("error: ")]
    assert line.startswith("error: asked to end, but still busy after 0.5 s")


def test_a_hangup_that_is_ignored_stays_so() -> None:
    with PatientProcess("program", [sys.executable, "-c", IGNORING]) as program:
        assert program.wait() == 0
    assert program.lines == ["lives"]
