from __future__ import annotations

import os
from pathlib import Path

import pytest

from kd_seg_ros.common import cores


def test_threads_of_one_core_count_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for cpu, siblings in enumerate(["0,2", "1,3", "0,2", "1,3"]):
        folder = tmp_path / f"cpu{cpu}" / "topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(f"{siblings}\n")
    monkeypatch.setattr(cores, "_TOPOLOGY", tmp_path)
    counts = {}
    for allowed in [(0,), (0, 2), (0, 1), (0, 1, 2, 3), (1, 7)]:
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, allowed=allowed: set(allowed))
        counts[allowed] = cores.own_cores()
    # Of processor 7 the system tells nothing: it counts as a core.
    assert counts == {(0,): 1, (0, 2): 1, (0, 1): 2, (0, 1, 2, 3): 2, (1, 7): 2}
