"""The provider for Intel processors; its build of ONNX Runtime is mostly not here, so a stand-in plays it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_model
from numpy.typing import NDArray

from kd_seg_ros.common.onnx_runtime import ort
from kd_seg_ros.inference.engine import Engine
from kd_seg_ros.inference.errors import EngineError, reason_of
from kd_seg_ros.inference.provider_options import provider_options
from kd_seg_ros.inference.providers import OPENVINO, on_processor
from kd_seg_ros.inference.settings import SessionSettings

MESSAGE = """[ONNXRuntimeError] : 1 : FAIL : openvino_ep::BasicBackend::BasicBackend(...) [OpenVINO-EP]
Exception from src/inference/src/dev/plugin.cpp:53:
can't alloc

"""
"""The form of OpenVINO's messages."""


class StubOpenVino:
    """Starts sessions that say they run with OpenVINO."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, error: str = "") -> None:
        self.error = error
        self.options: list[dict[str, str]] = []
        self._real = ort.InferenceSession
        monkeypatch.setattr(ort, "get_available_providers", lambda: [OPENVINO])
        monkeypatch.setattr(ort, "InferenceSession", self.start)

    def start(self, model: Any, options: ort.SessionOptions, providers: list[Any], **_: object) -> Any:
        on_cpu = self._real(model, ort.SessionOptions(), providers=["CPUExecutionProvider"])
        if not isinstance(providers[0], tuple) or providers[0][0] != OPENVINO:
            return on_cpu
        if self.error:
            raise RuntimeError(self.error)
        self.options.append(providers[0][1])
        return StubSession(on_cpu)


class StubSession:
    def __init__(self, on_cpu: ort.InferenceSession) -> None:
        self._on_cpu = on_cpu

    def get_providers(self) -> list[str]:
        return [OPENVINO]

    def __getattr__(self, name: str) -> object:
        return getattr(self._on_cpu, name)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tiny_model.write_tiny_model(tmp_path / "tiny.onnx", 40, 64)


@pytest.fixture
def image() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (40, 64, 3), dtype=np.uint8)


def test_openvino_and_the_cpu_compute_on_the_processor() -> None:
    names = ("auto", "cuda", "tensorrt", "openvino", "cpu")
    assert [on_processor(name) for name in names] == [False, False, False, True, True]


def test_options_are_text_and_keep_single_precision() -> None:
    assert provider_options(OPENVINO, SessionSettings("openvino", threads=3), "") == {
        "device_type": "CPU",
        "num_of_threads": "3",
        "precision": "FP32",
    }


def test_runs_with_the_threads_that_were_asked_for(
    model: Path, image: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stub = StubOpenVino(monkeypatch)
    engine = Engine(model, "openvino", threads=2)
    assert engine.provider == OPENVINO
    assert stub.options[-1]["num_of_threads"] == "2"
    np.testing.assert_array_equal(engine.segment(image).mask, tiny_model.expected(image)[0])
    assert not caplog.records


def test_images_of_the_other_channel_order_are_turned_around_before_the_network(
    model: Path, image: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenVINO would compute with the input's default, and nobody would notice."""
    StubOpenVino(monkeypatch)
    engine = Engine(model, "openvino")
    found = engine.segment(np.ascontiguousarray(image[..., ::-1]), bgr=True)
    np.testing.assert_array_equal(found.mask, tiny_model.expected(image)[0])
    assert not engine._binding.takes_bgr


def test_without_its_build_of_onnx_runtime_the_package_is_named(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(EngineError, match="built without OpenVINOExecutionProvider") as caught:
        Engine(model, "openvino")
    assert "install onnxruntime-openvino in place of onnxruntime, or choose provider 'cpu'" in str(
        caught.value
    )


def test_memory_that_was_refused_is_named_with_the_parameter(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    StubOpenVino(monkeypatch, MESSAGE)
    with pytest.raises(EngineError, match=r"more than the 900 MB of memory .* raise max_model_memory_mb"):
        Engine(model, "openvino", memory_mb=900)


def test_a_failed_start_is_told_in_one_line_by_its_cause(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    StubOpenVino(monkeypatch, MESSAGE.replace("can't alloc", "no such device"))
    with pytest.raises(EngineError) as caught:
        Engine(model, "openvino")
    assert str(caught.value).startswith("provider 'openvino' did not start (no such device): ")
    assert "onnxruntime-openvino==" in str(caught.value)


def test_a_session_that_fell_back_is_refused(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_cpu = ort.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    monkeypatch.setattr(ort, "get_available_providers", lambda: [OPENVINO])
    monkeypatch.setattr(ort, "InferenceSession", lambda *args, **kwargs: on_cpu)
    with pytest.raises(EngineError, match="did not start \\(its libraries could not be loaded\\)"):
        Engine(model, "openvino")


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (MESSAGE, "can't alloc"),
        ("first\nsecond", "first"),
        ("", "RuntimeError"),
        ("openvino alone", "openvino alone"),
    ],
)
def test_the_reason_of_an_error(message: str, reason: str) -> None:
    assert reason_of(RuntimeError(message)) == reason


@pytest.mark.skipif(OPENVINO not in ort.get_available_providers(), reason="needs onnxruntime-openvino")
class TestReally:
    @pytest.mark.parametrize("dynamic", [False, True])
    def test_the_answers_are_those_of_the_cpu(
        self, tmp_path: Path, image: NDArray[np.uint8], dynamic: bool
    ) -> None:
        path = tiny_model.write_tiny_model(tmp_path / "tiny.onnx", 40, 64, dynamic=dynamic)
        engine, reference = Engine(path, "openvino"), Engine(path, "cpu")
        engine.warm_up()
        for shape in ((40, 64), (55, 71)):
            picture = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
            for bgr in (False, True):
                found, expected = engine.segment(picture, bgr=bgr), reference.segment(picture, bgr=bgr)
                assert np.mean(found.mask == expected.mask) > 0.999
                assert np.abs(found.confidence.astype(int) - expected.confidence).max() <= 1
