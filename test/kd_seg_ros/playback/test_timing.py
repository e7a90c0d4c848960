from __future__ import annotations

from pathlib import Path

import pytest

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.playback.timing import Timing, read_timing


def test_percentiles_of_a_known_row(tmp_path: Path) -> None:
    timing = Timing()
    for number in range(101):
        timing.add("/camera", 10**18 + number, late=number * 1e-3, took=0.002)
    assert timing.percentiles() == pytest.approx((50.0, 99.0, 100.0))
    assert "101 messages, timing error 50.00 ms (p50), 99.00 ms (p99), 100.00 ms (max)" in timing.summary()
    with (tmp_path / "t.csv").open("w", newline="") as file:
        timing.write(file)
    again = read_timing(tmp_path / "t.csv")
    assert [m[:3] for m in again] == [m[:3] for m in timing.published]
    assert [m.late_ms for m in again] == pytest.approx([m.late_ms for m in timing.published])


def test_nothing_was_due() -> None:
    assert Timing().summary() == "no message was due"


def test_another_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="no table of play_bag"):
        read_timing(tmp_path / "t.csv")
