"""The process's memory against the system's own account."""

from __future__ import annotations

import resource

import pytest
from held_memory import held_memory

from kd_seg_ros.node import memory


def test_grows_with_what_is_used_and_stays_below_the_peak() -> None:
    before = memory.resident_mb()
    if before is None:
        pytest.skip("no /proc")
    with held_memory(50_000_000):
        after = memory.resident_mb()
    assert after is not None
    assert 45 < after - before < 80
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    assert after <= peak * 1.05


def test_a_system_without_proc(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setattr(memory, "_STATM", tmp_path / "none")  # type: ignore[operator]
    assert memory.resident_mb() is None
