"""The measurement of large images, with small ones."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy")

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "large_images.py"


@pytest.fixture(scope="module")
def script() -> Any:
    spec = importlib.util.spec_from_file_location("large_images", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("image", "channels"), [("rgb8", 3), ("mono8", 1)])
def test_one_run(script: Any, image: str, channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", dict(os.environ))  # it unsets what other tests need
    arguments = argparse.Namespace(frames=4, hertz=20.0, size="30x40")
    result = script._run(script.Setting("as it comes", {}, image, "RELIABLE"), arguments)
    assert result["megabytes"] == 30 * 40 * channels / 1e6
    # With depth 1 a frame may replace one that a busy subscriber has not fetched yet; never the last one.
    assert 1 <= result["arrived"] <= 4
    assert 0 < result["p50"] <= result["p99"]
    assert result["publisher_cpu"] > 0
    assert result["subscriber_cpu"] > 0


def test_settings(script: Any, tmp_path: Path) -> None:
    from kd_seg_ros.common.fast_dds import MEMORY, PROFILES
    from kd_seg_ros.node.qos import DEPTH

    rows = list(script.settings(tmp_path))
    kinds = {(row.transport, row.image, row.reliability, row.depth) for row in rows}
    assert len(rows) == len(kinds) == 16
    assert {row.depth for row in rows if row.image == "mono8"} == {1, DEPTH}
    for row in rows:
        for name in row.environment:
            assert name in (*PROFILES, *MEMORY)
        files = [Path(value) for name, value in row.environment.items() if name in PROFILES]
        assert len(files) == (row.transport != "as it comes")
        for file in files:
            transports = {e.text for e in ElementTree.parse(file).iter() if e.tag.endswith("}type")}
            assert transports == ({"UDPv4"} if row.transport.startswith("UDP") else {"UDPv4", "SHM"})


def test_table(script: Any) -> None:
    nothing = float("nan")
    runs = [
        {
            "publisher_cpu": 0.1,
            "subscriber_cpu": 0.2,
            "megabytes": 6.2,
            "arrived": 10,
            "p50": 5.0,
            "p99": 9.0,
        },
        {
            "publisher_cpu": 0.3,
            "subscriber_cpu": 0.2,
            "megabytes": 6.2,
            "arrived": 0,
            "p50": nothing,
            "p99": nothing,
        },
        {"publisher_cpu": 0.2, "subscriber_cpu": 0.2, "megabytes": 6.2, "arrived": 4, "p50": 7.0, "p99": 9.0},
    ]
    none = [{**runs[1]}]
    rows = [script.Setting("a", {}, "rgb8", "BEST_EFFORT"), script.Setting("b", {}, "jpeg", "RELIABLE", 5)]
    table = script._table(rows, [runs, none], argparse.Namespace(frames=10)).splitlines()
    assert table[2] == "| a | rgb8, 6.20 MB | best effort | 1 | 40 % | 6.0 ms | 9.0 ms | 20 % | 20 % |"
    assert table[3] == "| b | jpeg, 6.20 MB | reliable | 5 | 0 % | – | – | 30 % | 20 % |"
