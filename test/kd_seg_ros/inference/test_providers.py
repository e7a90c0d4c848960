"""Which provider a session starts on, and what is said where it does not start."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path

import numpy as np
import pytest
import tiny_model
from numpy.typing import NDArray

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.onnx_runtime import ort
from kd_seg_ros.inference.engine import Engine, EngineError


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tiny_model.write_tiny_model(tmp_path / "tiny.onnx", 40, 64)


def random_image(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(height * width).integers(0, 256, (height, width, 3), dtype=np.uint8)


def error_of(path: Path, provider: str) -> str:
    with pytest.raises(EngineError) as caught:
        Engine(path, provider)
    assert isinstance(caught.value, UserError)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_unknown_provider_lists_the_known_ones(model: Path) -> None:
    assert (
        error_of(model, "gpu") == "unknown provider 'gpu': choose one of auto, cuda, tensorrt, openvino, cpu"
    )


def has_gpu() -> bool:
    return Path("/proc/driver/nvidia/version").exists() or Path("/dev/nvidiactl").exists()


@pytest.mark.skipif(has_gpu(), reason="this machine has a GPU")
@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
class TestGpuThatIsNotThere:
    """Asked for a GPU, the engine never runs on the CPU in silence."""

    def test_is_an_error_that_names_the_remedy(
        self, model: Path, provider: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        message = error_of(model, provider)
        assert f"provider {provider!r}" in message
        assert "choose provider 'cpu'" in message
        assert "onnxruntime-gpu" in message

    def test_that_error_is_all_that_is_printed(
        self, model: Path, provider: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """ONNX Runtime would add several lines from C++, past Python's standard error."""
        error_of(model, provider)
        assert capfd.readouterr() == ("", "")

    def test_does_not_hide_a_bad_file(
        self, tmp_path: Path, provider: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        path = tmp_path / "junk.onnx"
        path.write_bytes(b"junk" * 100)
        message = error_of(path, provider)
        assert "not a readable ONNX file" in message or "is built without" in message


@pytest.mark.skipif(has_gpu(), reason="this machine has a GPU")
def test_auto_takes_the_cpu_with_one_line_that_says_why(
    model: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    engine = Engine(model, "auto")
    assert engine.provider == "CPUExecutionProvider"
    image = random_image(40, 64)
    np.testing.assert_array_equal(engine.segment(image).mask, tiny_model.expected(image)[0])
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert record.getMessage().startswith("running on the CPU: provider 'cuda'")
    assert "\n" not in record.getMessage()
    assert capfd.readouterr() == ("", "")


def test_auto_where_onnx_runtime_has_no_gpu(
    model: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is said of kernels, which could not run there anyway."""
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CPUExecutionProvider"])
    caplog.set_level(logging.INFO)
    assert Engine(model, "auto").provider == "CPUExecutionProvider"
    (record,) = caplog.records
    assert "is built without CUDAExecutionProvider" in record.getMessage()


@pytest.mark.parametrize("content", [None, b"junk" * 100])
def test_auto_does_not_hide_a_bad_file(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "bad.onnx"
    if content:
        path.write_bytes(content)
    message = error_of(path, "auto")
    assert ("not a readable ONNX file" if content else "no such model file") in message


def test_onnx_runtime_built_without_the_provider(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CPUExecutionProvider"])
    message = error_of(model, "cuda")
    assert "built without CUDAExecutionProvider" in message
    assert "install onnxruntime-gpu" in message


def test_a_session_that_fell_back_is_refused(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Older releases of ONNX Runtime raise no exception and return a session on the CPU."""
    on_cpu = ort.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    monkeypatch.setattr(ort, "InferenceSession", lambda *args, **kwargs: on_cpu)
    message = error_of(model, "cuda")
    assert "provider 'cuda' did not start" in message
    assert "CUDAExecutionProvider needs" in message


class StubSession:
    """A session that runs on what it was asked for, or refuses as ONNX Runtime does without a CPU to help."""

    def __init__(self, on_cpu: ort.InferenceSession, options: ort.SessionOptions, provider: str) -> None:
        with contextlib.suppress(RuntimeError):  # no such entry
            if options.get_session_config_entry("session.disable_cpu_ep_fallback") == "1":
                raise ValueError("This session contains graph nodes that are assigned to the default CPU EP")
        self.on_cpu, self.provider = on_cpu, provider

    def get_providers(self) -> list[str]:
        return [self.provider]

    def disable_fallback(self) -> None:
        pass

    def __getattr__(self, name: str) -> object:
        return getattr(self.on_cpu, name)


@pytest.mark.parametrize("dynamic", [False, True])
def test_only_what_a_file_of_open_size_computes_of_it_may_stay_on_the_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dynamic: bool
) -> None:
    path = tiny_model.write_tiny_model(tmp_path / "tiny.onnx", 40, 64, dynamic=dynamic)
    real = ort.InferenceSession

    def start(
        file: str, options: ort.SessionOptions, providers: list[tuple[str, object]], **_: object
    ) -> object:
        session = real(file, options_on_cpu, providers=["CPUExecutionProvider"])
        return StubSession(session, options, providers[0][0])

    options_on_cpu = ort.SessionOptions()
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    monkeypatch.setattr(ort, "InferenceSession", start)
    if dynamic:
        assert Engine(path, "cuda").provider == "CUDAExecutionProvider"
        assert Engine(path, "auto").provider == "CUDAExecutionProvider"
    else:
        assert "CUDAExecutionProvider cannot run every node of this file: This session" in error_of(
            path, "cuda"
        )


def test_auto_chooses_once(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU that is lost later is an error, as when it was asked for by name; the CPU does not take over."""
    on_cpu = ort.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    stub = StubSession(on_cpu, ort.SessionOptions(), "CUDAExecutionProvider")
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    monkeypatch.setattr(ort, "InferenceSession", lambda *args, **kwargs: stub)
    engine = Engine(model, "auto")
    assert engine.provider == "CUDAExecutionProvider"
    monkeypatch.setattr(ort, "InferenceSession", lambda *args, **kwargs: on_cpu)
    with pytest.raises(EngineError, match="provider 'cuda' did not start"):
        engine.reopen()
