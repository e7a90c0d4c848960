"""The engine with kernels around its network, end to end, on a device that is the host."""

from __future__ import annotations

import gc
import logging
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from host_device import HostDevice
from host_gpu import DYNAMIC, KIND, Gpu, assert_same, image_of

from distill.benchmarks.one_convolution import Kind, write_model
from distill.calibration.domain_fit import fit_distance
from distill.export.domain_file import StatisticsOfMaps, write_distance
from distill.metrics.domain_reference import FEWEST
from kd_seg_ros.common import long_calls
from kd_seg_ros.inference.engine import Engine, EngineError, Prediction
from kd_seg_ros.inference.gpu import opening
from kd_seg_ros.inference.settings import SessionSettings
from kd_seg_ros.inference.thresholds import min_confidence_levels


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
