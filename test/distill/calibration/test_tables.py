"""What calibrate prints of its thresholds."""

from __future__ import annotations

import pytest

from distill.calibration.tables import print_thresholds
from kd_seg_ros.inference.risk import RiskThreshold

VULNERABLE = ("person", "rider", "motorcycle", "bicycle")


def test_a_rule_of_many_classes_is_broken_between_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    print_thresholds([RiskThreshold(VULNERABLE, "miss", 0.3, "night", 110, 0.28, 0.978, 60, "image")])
    printed = capsys.readouterr().out
    for part in (
        "person+",
        "rider+",
        "motorcycle+",
        "bicycle:miss=0.3",
        "0.431",
        "28.00",
        "97.8",
        "60 images",
    ):
        assert part in printed


def test_without_rules_there_is_no_table(capsys: pytest.CaptureFixture[str]) -> None:
    print_thresholds([])
    assert capsys.readouterr().out == ""
