"""Where the kernels cannot be used, the file's own nodes do their work, and one line says why."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import pytest
from host_device import HostDevice
from host_gpu import KIND, Gpu, assert_same, image_of

from distill.benchmarks.one_convolution import card, model_file, write_model
from kd_seg_ros.inference.contract import METADATA_KEY
from kd_seg_ros.inference.engine import Engine, EngineError
from kd_seg_ros.inference.errors import ProviderError
from kd_seg_ros.inference.settings import SessionSettings


def fallback_line(path: Path, caplog: pytest.LogCaptureFixture, provider: str = "cuda") -> str:
    """Open a file that is to be run by its own nodes; return the one line that says why."""
    caplog.clear()
    with caplog.at_level(logging.INFO, "kd_seg_ros"):
        engine = Engine(path, provider)
    assert engine.kernels is None
    assert_same(engine.segment(image_of(KIND.size)), Engine(path, "cpu").segment(image_of(KIND.size)))
    lines = [record.getMessage() for record in caplog.records if record.name.endswith("gpu.opening")]
    return lines[-1]


def rewritten(path: Path, **changes: Any) -> Path:
    """Write the model file with another card than its own."""
    proto = onnx.load_model_from_string(model_file(KIND))
    onnx.helper.set_model_props(proto, {METADATA_KEY: replace(card(KIND), **changes).to_json()})
    path.write_bytes(proto.SerializeToString())
    return path


def test_a_card_that_tells_other_numbers_than_the_file_computes_with_is_found(
    gpu: Gpu, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    changes: list[dict[str, Any]] = [
        {"mean": (0.3, 0.45, 0.5)},
        {"temperature": 2.0},
        {"working_scale": 0.72, "padding_multiple": 4},
        {"calibration": {"method": "vector", "parameters": {"weights": [1] * 5, "biases": [0, 0, 0, 0, 1]}}},
    ]
    for number, change in enumerate(changes):
        line = fallback_line(rewritten(tmp_path / f"{number}.onnx", **change), caplog)
        assert "the file's own nodes do the work before and after the network" in line
        assert gpu.devices[-1].closed
    assert "the kernels for NVIDIA GPUs do not do what the file does: the masks agree in" in caplog.text


def test_files_and_providers_that_the_kernels_do_not_know(
    gpu: Gpu, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    older = rewritten(tmp_path / "older.onnx", padding_multiple=0)
    assert "does not tell how images are padded: export the model again" in fallback_line(older, caplog)
    method = {"method": "isotonic", "parameters": {}}
    unknown = rewritten(tmp_path / "unknown.onnx", calibration=method)
    assert "do not know the calibration 'isotonic'" in fallback_line(unknown, caplog)
    path = write_model(tmp_path / "model.onnx", KIND)
    assert "need provider 'cuda', not 'tensorrt'" in fallback_line(path, caplog, "tensorrt")
    assert Engine(path, "cuda", kernels=False).kernels is None
    caplog.clear()
    assert Engine(path, "cpu").kernels is None
    assert not caplog.records  # that was asked for


def test_kernels_that_do_not_run_cost_the_speed_only(
    gpu: Gpu, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*_: object) -> None:
        raise RuntimeError("launch failed")

    monkeypatch.setattr(HostDevice, "launch", lost)
    path = write_model(tmp_path / "model.onnx", KIND)
    assert fallback_line(path, caplog).endswith("the kernels do not run")
    assert "do not run: launch failed" in caplog.text


def test_a_network_that_does_not_open_alone_is_run_as_a_whole(
    gpu: Gpu, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def refuses_the_part(settings: SessionSettings) -> None:
        if settings.compute_stream:
            raise EngineError("not a readable ONNX file")

    gpu.fault = refuses_the_part
    gpu.stream = 4711
    path = write_model(tmp_path / "model.onnx", KIND)
    assert fallback_line(path, caplog).endswith("the kernels do not run")
    assert "do not run: not a readable ONNX file" in caplog.text


def test_a_provider_that_does_not_start_is_said_once(
    gpu: Gpu, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def no_driver(_: SessionSettings) -> None:
        raise ProviderError("no NVIDIA driver", "install one")

    gpu.fault = no_driver
    with caplog.at_level(logging.INFO, "kd_seg_ros"), pytest.raises(EngineError, match="install one"):
        Engine(write_model(tmp_path / "model.onnx", KIND), "cuda")
    lines = [record.getMessage() for record in caplog.records if record.name.endswith("gpu.opening")]
    assert lines == ["the file's own nodes do the work before and after the network: no NVIDIA driver"]
    assert gpu.devices[0].closed
