from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import onnxruntime as ort
import pytest
from host_device import HostDevice

from distill.benchmarks.one_convolution import Kind, write_model
from kd_seg_ros.benchmark import gpu_suite
from kd_seg_ros.benchmark.tiny_model import write_tiny_model
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.inference.card import ModelCard
from kd_seg_ros.inference.gpu import opening


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
    assert "network_ms" not in plain
    assert "needs provider 'cuda'" in graph["refused"]
    assert "| tiny.onnx | graph | – |" in result.text
    assert f"| 1.000 | {1 * plain['p50']:.1f}× |" in result.text


def test_with_kernels_the_network_alone_and_the_host_stand_next_to_the_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host in the place of the GPU."""
    monkeypatch.setattr(opening, "CudaDevice", lambda _: HostDevice())
    monkeypatch.setattr(
        opening,
        "open_session",
        lambda file, *_: ort.InferenceSession(file.content, providers=["CPUExecutionProvider"]),
    )
    ways = {gpu_suite.BY_DEFAULT: {}, "with new maps": {"new_maps": True}}
    for name, value in {"VARIANTS": ways, "LEAST": 3, "nvidia_gpu": lambda: "a card"}.items():
        monkeypatch.setattr(gpu_suite, name, value)
    model = write_model(tmp_path / "model.onnx", Kind(scale=0.7, multiple=8))
    said: list[str] = []

    def elsewhere(card: ModelCard) -> Mapping[str, Callable[[], object]]:
        def fails() -> None:
            raise RuntimeError("no compiler\nand more")

        return {f"another runtime of {card.name}": int, "broken": fails}

    result = gpu_suite.run([model], gpu_suite.Floor(), 0.0, said.append, elsewhere)
    default, new_maps, other = result.figures
    assert default["network_ms"] > 0
    assert default["host_ms"] > 0
    assert "host_ms" not in new_maps
    assert other["variant"] == "another runtime of convolution"
    assert said[-1] == "model.onnx: broken: no compiler"
    assert f"| {default['network_ms']:.3f} | {default['p50'] - default['network_ms']:.3f} |" in result.text
    assert f"by OpenCV and NumPy takes {default['host_ms']:.1f} ms" in result.text


def test_another_runtime_that_cannot_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = {"plain": {"provider": "cpu"}}
    for name, value in {"VARIANTS": cpu, "LEAST": 3, "nvidia_gpu": lambda: "a card"}.items():
        monkeypatch.setattr(gpu_suite, name, value)

    def refuses(_card: ModelCard) -> Mapping[str, Callable[[], object]]:
        raise UserError("PyTorch is not installed")

    said: list[str] = []
    model = write_tiny_model(tmp_path / "tiny.onnx", (48, 64))
    assert len(gpu_suite.run([model], gpu_suite.Floor(), 0.0, said.append, refuses).figures) == 1
    assert said[-1] == "tiny.onnx: PyTorch is not installed"
