"""What ONNX Runtime's providers are started with; there is no GPU here, so a stand-in takes the options."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tiny_model

from kd_seg_ros.common.onnx_runtime import ort
from kd_seg_ros.inference import session
from kd_seg_ros.inference.engine import Engine
from kd_seg_ros.inference.errors import EngineError
from kd_seg_ros.inference.onnx_file import read_onnx_file
from kd_seg_ros.inference.provider_options import provider_options
from kd_seg_ros.inference.settings import SessionSettings

CUDA = "CUDAExecutionProvider"
TENSORRT = "TensorrtExecutionProvider"


class StubCuda:
    """A CUDA provider that knows some options only, and may refuse biases inside convolutions."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, unknown: set[str], fuses: bool) -> None:
        self.unknown, self.fuses = unknown, fuses
        self.started: list[dict[str, Any]] = []
        self._real = ort.InferenceSession
        monkeypatch.setattr(ort, "get_available_providers", lambda: [CUDA])
        monkeypatch.setattr(ort, "InferenceSession", self.start)

    def start(
        self, model: bytes, options: ort.SessionOptions, providers: list[Any], **_: object
    ) -> StubSession:
        given = providers[0][1]
        self.started.append(given)
        for name in given:
            if name in self.unknown:
                raise RuntimeError(f'provider_options_utils.h:147 Parse Unknown provider option: "{name}".')
        on_cpu = self._real(model, ort.SessionOptions(), providers=["CPUExecutionProvider"])
        return StubSession(on_cpu, not self.fuses and "fuse_conv_bias" in given)


class StubSession:
    """A session that says it is on CUDA, and may fail to run as cuDNN's front end does."""

    def __init__(self, on_cpu: ort.InferenceSession, fails: bool) -> None:
        self._on_cpu, self._fails = on_cpu, fails

    def get_providers(self) -> list[str]:
        return [CUDA]

    def disable_fallback(self) -> None:
        pass

    def run(self, *args: Any) -> Any:
        if self._fails:
            raise RuntimeError("Non-zero status code: Failed to initialize CUDNN Frontend: no engine\nmore")
        return self._on_cpu.run(*args)

    def __getattr__(self, name: str) -> object:
        return getattr(self._on_cpu, name)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tiny_model.write_tiny_model(tmp_path / "tiny.onnx", 40, 64)


def test_tensor_cores_stay_on() -> None:
    """TF32 off would take them from convolutions in half precision as well."""
    assert "use_tf32" not in provider_options(CUDA, SessionSettings(), "")


def test_defaults_on_cuda() -> None:
    assert provider_options(CUDA, SessionSettings(), "") == {
        "enable_cuda_graph": 0,
        "prefer_nhwc": 1,
        "fuse_conv_bias": 1,
        "cudnn_conv_algo_search": "HEURISTIC",
    }


def test_biases_are_fused_with_channels_last_only() -> None:
    options = provider_options(CUDA, SessionSettings(nhwc=False), "")
    assert options["prefer_nhwc"] == 0
    assert "fuse_conv_bias" not in options


def test_a_cuda_graph_wherever_the_file_has_one_size(tmp_path: Path) -> None:
    fixed = read_onnx_file(tiny_model.write_tiny_model(tmp_path / "fixed.onnx", 40, 64))
    either = read_onnx_file(tiny_model.write_tiny_model(tmp_path / "open.onnx", 40, 64, dynamic=True))
    automatic = SessionSettings("cuda", cuda_graph=None)
    assert automatic.for_file(fixed).cuda_graph is True
    assert automatic.for_file(either).cuda_graph is False
    assert replace(automatic, provider="auto").for_file(fixed).cuda_graph is True
    assert replace(automatic, provider="cpu").for_file(fixed).cuda_graph is False
    assert replace(automatic, provider="tensorrt").for_file(fixed).cuda_graph is False
    assert SessionSettings("cuda", cuda_graph=False).for_file(fixed).cuda_graph is False


def test_an_older_onnx_runtime_gets_the_options_it_knows(
    model: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stub = StubCuda(monkeypatch, {"prefer_nhwc", "fuse_conv_bias"}, fuses=True)
    with caplog.at_level(logging.INFO):
        assert Engine(model, "cuda").provider == CUDA
    assert set(stub.started[-1]) == {"enable_cuda_graph", "cudnn_conv_algo_search"}
    assert "does not know prefer_nhwc: left out" in caplog.text
    assert "does not know fuse_conv_bias: left out" in caplog.text


def test_a_gpu_that_cannot_fuse_biases_runs_without(
    model: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stub = StubCuda(monkeypatch, set(), fuses=False)
    engine = Engine(model, "cuda")
    engine.warm_up()
    assert ["fuse_conv_bias" in given for given in stub.started] == [True, False]
    assert stub.started[-1]["prefer_nhwc"] == 1
    (record,) = caplog.records
    assert "running without fuse_conv_bias: Non-zero status code" in record.getMessage()
    assert "\n" not in record.getMessage()


def test_a_first_run_that_fails_otherwise_is_an_error(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    StubCuda(monkeypatch, set(), fuses=True)

    def fail(_: object) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(session, "_run_on_zeros", fail)
    with pytest.raises(EngineError, match="out of memory"):
        Engine(model, "cuda")


def test_tensorrts_engines_belong_to_the_content_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    options = [provider_options(TENSORRT, SessionSettings("tensorrt"), sha256) for sha256 in ("ab", "cd")]
    engines = [given["trt_engine_cache_path"] for given in options]
    assert [Path(path).is_dir() for path in engines] == [True, True]
    assert engines[0] != engines[1]
    assert [given["trt_engine_cache_prefix"] for given in options] == ["ab", "cd"]
    assert options[0]["trt_timing_cache_path"] == options[1]["trt_timing_cache_path"]
