from __future__ import annotations

from pathlib import Path

import pytest

from kd_seg_ros.benchmark import gpu_suite
from kd_seg_ros.benchmark.tiny_model import write_tiny_model
from kd_seg_ros.common.errors import UserError


def test_without_a_gpu_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_suite, "nvidia_gpu", lambda: "")
    with pytest.raises(UserError, match="needs an NVIDIA GPU"):
        gpu_suite.run([Path("model.onnx")], gpu_suite.Floor(), 1.0, print)


def test_the_floor_is_the_larger_of_arithmetic_and_traffic() -> None:
    assert gpu_suite.Floor(gflop=500, megabytes=480, tflops=1000, gigabytes_per_s=4800).milliseconds() == 0.5
    assert gpu_suite.Floor(gflop=10, megabytes=480, tflops=1000, gigabytes_per_s=4800).milliseconds() == 0.1
    assert gpu_suite.Floor().milliseconds() == 0


def test_every_way_to_run_is_in_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the CPU, but for one way that it refuses."""
    cpu = {"plain": {"provider": "cpu"}, "graph": {"provider": "cpu", "cuda_graph": True}}
    for name, value in {"VARIANTS": cpu, "LEAST": 3, "nvidia_gpu": lambda: "a card"}.items():
        monkeypatch.setattr(gpu_suite, name, value)
    model = write_tiny_model(tmp_path / "tiny.onnx", (48, 64))
    said: list[str] = []
    result = gpu_suite.run([model], gpu_suite.Floor(1, 1, 1, 1), 0.0, said.append)
    assert said == ["tiny.onnx: plain", "tiny.onnx: graph"]
    plain, graph = result.figures
    assert 0 < plain["p50"] <= plain["p99"] <= plain["largest"]
    assert plain["count"] == 3
    assert "needs provider 'cuda'" in graph["refused"]
    assert "| tiny.onnx | graph | – |" in result.text
    assert f"| 1.000 | {1 * plain['p50']:.1f}× |" in result.text
