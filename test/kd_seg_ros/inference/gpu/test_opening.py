"""The engine with kernels around its network, end to end, on a device that is the host."""

from __future__ import annotations

import gc
import logging
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from host_device import HostDevice
from numpy.typing import NDArray

from distill.benchmarks.one_convolution import Kind, card, model_file, write_model
from distill.calibration.domain_fit import fit_distance
from distill.export.domain_file import StatisticsOfMaps, write_distance
from distill.metrics.domain_reference import FEWEST
from kd_seg_ros.common import long_calls
from kd_seg_ros.inference import opening as whole_file
from kd_seg_ros.inference.contract import METADATA_KEY
from kd_seg_ros.inference.engine import Engine, EngineError, Prediction
from kd_seg_ros.inference.errors import ProviderError
from kd_seg_ros.inference.gpu import opening
from kd_seg_ros.inference.onnx_file import OnnxFile
from kd_seg_ros.inference.settings import SessionSettings
from kd_seg_ros.inference.thresholds import min_confidence_levels

KIND = Kind(size=(37, 53), scale=0.7, multiple=8)
DYNAMIC = replace(KIND, dynamic=True)


class Gpu:
    """Remembers the devices and sessions that were opened."""

    def __init__(self) -> None:
        self.devices: list[HostDevice] = []
        self.settings: list[SessionSettings] = []
        self.stream = 0
        self.sessions: list[weakref.ref[ort.InferenceSession]] = []
        self.fault: Callable[[SessionSettings], None] = lambda _: None
        """Called for each session; raises what is to go wrong."""

    def device(self, staged: bool) -> HostDevice:
        del staged
        self.devices.append(HostDevice())
        self.devices[-1].stream = self.stream
        return self.devices[-1]

    def running(self) -> list[ort.InferenceSession]:
        """Return the sessions that are still there."""
        sessions = [reference() for reference in self.sessions]
        return list(filter(None, sessions))

    def session(self, file: OnnxFile, settings: SessionSettings, _check: Any) -> ort.InferenceSession:
        self.settings.append(settings)
        self.fault(settings)
        session = ort.InferenceSession(file.content, providers=["CPUExecutionProvider"])
        self.sessions.append(weakref.ref(session))
        return session


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Gpu:
    """Put the host in the place of the GPU."""
    fake = Gpu()
    monkeypatch.setattr(opening, "CudaDevice", fake.device)
    monkeypatch.setattr(opening, "open_session", fake.session)
    monkeypatch.setattr(whole_file, "open_session", fake.session)
    return fake


def image_of(size: tuple[int, int]) -> NDArray[np.uint8]:
    return np.random.default_rng(size[0]).integers(0, 256, (*size, 3), dtype=np.uint8)


def assert_same(found: Prediction, expected: Prediction) -> None:
    """But for the rounding of a network in half precision."""
    assert found.mask.shape == expected.mask.shape
    assert np.mean(found.mask == expected.mask) > 0.998
    np.testing.assert_allclose(found.confidence.astype(int), expected.confidence, atol=2)


@pytest.mark.parametrize("kind", [KIND, DYNAMIC], ids=["one size", "any size"])
def test_every_way_to_call_it_is_answered_as_by_the_files_nodes(gpu: Gpu, kind: Kind, tmp_path: Path) -> None:
    path = write_model(tmp_path / "model.onnx", kind)
    engine, nodes = Engine(path, "cuda"), Engine(path, "cpu")
    assert engine.kernels is not None
    assert nodes.kernels is None
    assert (engine.card, engine.size, engine.dynamic) == (nodes.card, nodes.size, nodes.dynamic)
    assert engine.sha256 == nodes.sha256
    engine.warm_up()
    for size in (kind.size, (64, 40), (20, 31), kind.size):
        image = image_of(size)
        expected = nodes.segment(image, probability=True)
        assert_same(engine.segment(image), expected)
        bgr = image[..., ::-1]
        found = engine.segment(bgr, probability=True, bgr=True)
        assert_same(found, expected)
        assert found.probability is not None
        assert expected.probability is not None
        np.testing.assert_allclose(found.probability, expected.probability, atol=0.01)
    # Arrays of another size than the image, and thresholds.
    out = Prediction.empty((18, 26))
    expected = nodes.segment(image, out=Prediction.empty((18, 26)))
    assert engine.segment(image, out=out) is out
    assert_same(out, expected)


@pytest.mark.parametrize("kind", [KIND, DYNAMIC], ids=["one size", "any size"])
def test_the_domain_distance_comes_from_the_networks_part(gpu: Gpu, kind: Kind, tmp_path: Path) -> None:
    plain, path = write_model(tmp_path / "plain.onnx", kind), tmp_path / "model.onnx"
    statistics = StatisticsOfMaps(plain)
    found = np.stack([statistics.measure(image_of(kind.size) // n) for n in range(1, FEWEST + 1)])
    fitted = fit_distance(found, [""] * FEWEST)
    write_distance(plain, path, statistics.maps, fitted.reference, fitted.of_card("noise"))
    engine, nodes = Engine(path, "cuda"), Engine(path, "cpu")
    assert engine.kernels is not None
    for size in (kind.size, (64, 40), kind.size):
        image = image_of(size)
        expected, answer = nodes.segment(image), engine.segment(image)
        assert_same(answer, expected)
        assert answer.domain_distance == pytest.approx(expected.domain_distance, rel=0.02)


def test_pixels_below_their_classs_confidence_get_the_ignore_id(gpu: Gpu, tmp_path: Path) -> None:
    path = write_model(tmp_path / "model.onnx", KIND)
    engine, nodes = Engine(path, "cuda"), Engine(path, "cpu")
    image = image_of(KIND.size)
    before = engine.segment(image)
    levels = min_confidence_levels(0.5, [0.0, 0.9])
    for one in (engine, nodes):
        plain = one.segment(image)
        found = one.segment(image, min_confidence=levels)
        below = plain.confidence < levels[plain.mask]
        assert below.any()
        np.testing.assert_array_equal(found.mask, np.where(below, 255, plain.mask))
        np.testing.assert_array_equal(found.confidence, plain.confidence)
    np.testing.assert_array_equal(engine.segment(image).mask, before.mask)  # no thresholds any more


def test_a_frame_waits_once(gpu: Gpu, tmp_path: Path) -> None:
    engine = Engine(write_model(tmp_path / "model.onnx", KIND), "cuda")
    (device,) = gpu.devices
    device.launched.clear()
    waits = device.waits
    engine.segment(image_of(KIND.size))
    assert device.launched == ["prepare_image", "best_logit", "answer"]
    assert device.waits == waits + 1


def test_opening_again_frees_the_device_first(gpu: Gpu, tmp_path: Path) -> None:
    engine = Engine(write_model(tmp_path / "model.onnx", KIND), "cuda")
    image = image_of(KIND.size)
    before = engine.segment(image)
    closed: list[bool] = []
    gpu.fault = lambda _: closed.append(gpu.devices[0].closed)
    engine.reopen()
    assert closed == [True]
    assert len(gpu.devices) == 2
    np.testing.assert_array_equal(engine.segment(image).mask, before.mask)


def test_a_run_that_fails_is_the_engines_error(gpu: Gpu, tmp_path: Path) -> None:
    engine = Engine(write_model(tmp_path / "model.onnx", KIND), "cuda")

    def fails() -> None:
        raise RuntimeError("the GPU is lost")

    gpu.devices[0].synchronize = fails  # type: ignore[method-assign]
    with pytest.raises(EngineError, match="running the network failed: the GPU is lost"):
        engine.segment(image_of(KIND.size))


@pytest.mark.parametrize(("kind", "graph"), [(KIND, True), (DYNAMIC, None)])
def test_the_network_runs_in_the_devices_stream_and_is_recorded_if_its_size_is_fixed(
    gpu: Gpu, kind: Kind, graph: bool | None, tmp_path: Path
) -> None:
    gpu.stream = 4711
    path = write_model(tmp_path / "model.onnx", kind)
    engine = Engine(path, "cuda", cuda_graph=graph)
    assert engine.kernels
    assert gpu.settings[0].compute_stream == 4711
    assert gpu.settings[0].cuda_graph is graph
    with pytest.raises(EngineError, match="needs provider 'cuda'"):
        Engine(path, "cpu", cuda_graph=True)


def test_a_network_that_cannot_be_recorded_runs_without(
    gpu: Gpu, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def refuses_graphs(settings: SessionSettings) -> None:
        if settings.cuda_graph is not False:
            raise RuntimeError("cannot capture")

    gpu.fault = refuses_graphs
    path = write_model(tmp_path / "model.onnx", KIND)
    with caplog.at_level(logging.INFO, "kd_seg_ros"):
        engine = Engine(path, "cuda")
    assert engine.kernels
    assert "running without a CUDA graph: cannot capture" in caplog.text


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


def test_sessions_go_before_the_stream_that_they_run_in(
    gpu: Gpu, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those of attempts that failed, which an exception's traceback would hold."""
    alive: list[int] = []
    close = HostDevice.close

    def closed(device: HostDevice) -> None:
        gc.collect()
        alive.append(len(gpu.running()))
        close(device)

    monkeypatch.setattr(HostDevice, "close", closed)
    monkeypatch.setattr(opening, "difference", lambda *_: "everything is wrong")
    Engine(write_model(tmp_path / "model.onnx", KIND), "cuda")
    assert alive == [0]


def test_a_failed_run_does_not_keep_the_session_while_it_is_opened_again(gpu: Gpu, tmp_path: Path) -> None:
    engine = Engine(write_model(tmp_path / "model.onnx", KIND), "cuda")

    def fails(_session: ort.InferenceSession, *_: object) -> None:
        raise RuntimeError("the GPU is lost")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ort.InferenceSession, "run_with_iobinding", fails)
        with pytest.raises(EngineError) as caught:
            engine.segment(image_of(KIND.size))
    before = gpu.sessions[0]
    engine.reopen()
    assert before() is None
    assert "the GPU is lost" in str(caught.value)


def test_a_run_that_does_not_end_can_be_ended_by_a_signal_and_the_next_one_runs(
    gpu: Gpu, tmp_path: Path
) -> None:
    engine = Engine(write_model(tmp_path / "model.onnx", KIND), "cuda")
    image = image_of(KIND.size)
    before = engine.segment(image)
    run = ort.InferenceSession.run_with_iobinding

    def ended(session: ort.InferenceSession, *arguments: Any) -> None:
        """Do as the thread does that is told of signals."""
        for _, end in long_calls._calls.values():
            end()
        run(session, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ort.InferenceSession, "run_with_iobinding", ended)
        with pytest.raises(EngineError, match="terminate"):
            engine.segment(image)
    np.testing.assert_array_equal(engine.segment(image).mask, before.mask)
    assert not long_calls._calls


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
