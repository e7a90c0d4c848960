"""The comparison of GPU and CPU, with the CPU on both sides."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from distill.benchmarks import gpu_correctness
from distill.benchmarks.one_convolution import Kind, write_model
from distill.common.calibration_methods import PARAMETERS
from kd_seg_ros.inference.engine import Engine, EngineError, Prediction


def test_a_provider_agrees_with_itself_but_fails_without_the_kernels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu_correctness, "SIZE", (45, 61))
    assert gpu_correctness.CALIBRATIONS.keys() == {"none", *PARAMETERS}
    vector = {"vector": gpu_correctness.CALIBRATIONS["vector"]}
    monkeypatch.setattr(gpu_correctness, "CALIBRATIONS", vector)
    model = write_model(tmp_path / "model.onnx", Kind())
    result = gpu_correctness.run(tmp_path, "cpu", [model], kernels=False)
    assert result.passed
    assert len(result.figures) == (len(gpu_correctness.CALIBRATIONS) * 2 + 1) * 7
    assert all(figure["same_class"] == figure["near"] == 1 for figure in result.figures)
    assert "| one convolution, any size, calibration vector, bgr | no | 100.000% |" in result.text
    assert "| model.onnx, opened again | no |" in result.text
    monkeypatch.setattr(gpu_correctness, "CALIBRATIONS", {})
    assert not gpu_correctness.run(tmp_path, "cpu", [model]).passed


def test_another_answer_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Engine.segment

    def differs_when_told_bgr(self: Engine, *arguments: object, **options: object) -> Prediction:
        found = plain(self, *arguments, **options)  # type: ignore[arg-type]
        if not options.get("bgr"):
            return found
        return replace(found, confidence=(found.confidence ^ np.uint8(16)))

    monkeypatch.setattr(Engine, "segment", differs_when_told_bgr)
    path = write_model(tmp_path / "model.onnx", Kind())
    found = {comparison.case: comparison for comparison in gpu_correctness.compare(path, "cpu", "x")}
    assert [case for case, comparison in found.items() if not comparison.passed] == ["x, bgr"]
    assert found["x, bgr"].near < 0.1


def test_whether_a_network_beyond_the_limit_of_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_model(tmp_path / "model.onnx", Kind())
    monkeypatch.setattr(gpu_correctness, "LIMIT_MB", 1000)
    assert not gpu_correctness.refuses(path, "cpu")

    def too_much(self: Engine, image: object) -> Prediction:
        raise EngineError("it takes more than the 1000 MB of memory that a network may take")

    monkeypatch.setattr(Engine, "segment", too_much)
    assert gpu_correctness.refuses(path, "cpu")
