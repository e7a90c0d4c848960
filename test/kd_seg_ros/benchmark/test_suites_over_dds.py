"""The suites with real processes, as short as can be: what they count must add up."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy")

from kd_seg_ros.benchmark import node_suite, overload_suite, soak_suite

pytestmark = [
    pytest.mark.usefixtures("_isolated"),
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux' /proc"),
]


def assert_ordered(values: dict[str, Any]) -> None:
    assert 0 <= values["p50"] <= values["p99"]
    if "largest" in values:
        assert values["p99"] <= values["largest"]


def assert_every_frame_has_ended(counts: dict[str, Any]) -> None:
    assert counts["received"] == sum(
        counts[event] for event in ("published", "overwritten", "rejected", "failed")
    )


def test_node(tiny: Path) -> None:
    result = node_suite.run(tiny, "cpu", None, 40.0, 0.5, lambda _: None)
    figures = result.figures
    json.dumps(figures)
    found = figures["node"]
    assert found["sent"] == node_suite.TURN * (node_suite.WARM_UP + 2)  # half of 20
    assert_every_frame_has_ended(found)
    assert 0 < found["published"] <= found["received"] <= found["sent"]
    assert found["rejected"] == found["failed"] == 0
    for values in (
        *(figures[name] for name in ("bare", "engine", "bare_with_camera", "bare_with_camera_age")),
        *(found[name] for name in node_suite.QUANTITIES),
        *found["ages"].values(),
    ):
        assert_ordered(values)
    assert figures["bare_with_camera"]["count"] <= found["sent"] - node_suite.TURN * node_suite.WARM_UP
    assert figures["bare_with_camera"]["p50"] <= figures["bare_with_camera_age"]["p50"]
    added = found["latency_ms"]["p50"] - figures["bare_with_camera"]["p50"]
    assert figures["overhead"]["node"] == pytest.approx(added)
    assert "| **node**, image arrived → maps published |" in result.text
    assert f"adds {added:.2f} ms" in result.text


def test_overload(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overload_suite, "FACTORS", (3.0,))
    result = overload_suite.run(tiny, "cpu", None, 0.3, lambda _: None)
    json.dumps(result.figures)
    assert [row["waits"] for row in result.figures["rows"]] == [False, True]
    for row in result.figures["rows"]:
        assert row["rate_hz"] == pytest.approx(3e3 / result.figures["frame_ms"])
        assert row["sent"] == round(0.3 * row["rate_hz"])
        assert row["sent"] == row["received"] + row["lost"]
        assert_every_frame_has_ended(row)
        assert row["arrived"] <= row["published"]
        assert_ordered(row["age"])
        assert row["age"]["p50"] <= row["age"]["p90"] <= row["age"]["largest"]
        assert f"| {row['sent']} | {row['lost']} | {row['overwritten']} | {row['published']} |" in result.text


def test_soak(tiny: Path, tmp_path: Path) -> None:
    said: list[str] = []
    plot = tmp_path / "memory.png"
    result = soak_suite.run(tiny, "cpu", (48, 64), 100, 50.0, plot, said.append)
    figures = result.figures
    json.dumps(figures)
    assert (figures["sent"], figures["bad"]) == (100, 100 // soak_suite.BAD_EVERY)
    assert_every_frame_has_ended(figures)
    assert figures["received"] + figures["paused"] <= figures["sent"]
    assert 0 < figures["rejected"] <= figures["bad"]
    assert figures["failed"] == 0
    assert 0 < figures["masks"] <= figures["published"]
    assert figures["disturbances"]["parameter changed"] > 0
    assert figures["disturbances"]["parameter refused"] > 0
    assert all(not math.isnan(value) for value in figures["growth"].values())
    assert "Verdict: " in result.text
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_ctrl_c_ends_the_children_too(tiny: Path) -> None:
    command = [sys.executable, "-m", "kd_seg_ros.benchmark", "--suite", "soak", "--model", str(tiny)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ
    )
    assert process.stdout is not None
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    assert "of about 20000 frames" in process.stdout.readline()
    pids = children.read_text().split()
    assert len(pids) == 2  # the node and the camera
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=600)[0]
    assert process.returncode == 130, output
    assert output.splitlines()[-1] == "interrupted"
    assert "Traceback" not in output
    assert not any(Path("/proc", pid).exists() for pid in pids)
