"""Cameras that share a network and go through it together."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from distill.benchmarks.one_convolution import Kind, write_model
from kd_seg_ros.inference import batching_engine
from kd_seg_ros.inference.batched_run import BatchedRun
from kd_seg_ros.inference.batching_engine import LARGEST_BATCH, BatchingEngine
from kd_seg_ros.inference.binding import RunItem
from kd_seg_ros.inference.engine import Engine, EngineError, Prediction
from kd_seg_ros.inference.shared_engine import SharedEngine, SharedEngines

SIZE = (40, 52)
FAR = 60_000.0
"""Milliseconds after which a test has failed by its own timeout."""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "batch.onnx", Kind(size=SIZE, batch=True, half=False))


def picture(seed: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 256, (*size, 3), np.uint8)


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the numbers of images of all runs; images whose first byte is 0 make a run fail."""
    found: list[int] = []
    genuine = BatchedRun.run_batch

    def noted(self: BatchedRun, items: Sequence[RunItem]) -> None:
        found.append(len(items))
        if any(item.image[0, 0, 0] == 0 for item in items):
            raise RuntimeError("no memory for this one")
        genuine(self, items)

    monkeypatch.setattr(BatchedRun, "run_batch", noted)
    return found


@pytest.fixture
def cameras() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as threads:
        yield threads


def busy(engine: BatchingEngine) -> threading.Event:
    """Keep the network's thread busy until the event is set."""
    release = threading.Event()
    engine._thread.submit(release.wait)
    return release


def waiting(engine: BatchingEngine, number: int) -> None:
    """Return once so many images wait."""
    with engine._changed:
        assert engine._changed.wait_for(lambda: len(engine._requests) == number, 60)


def together(
    engine: BatchingEngine, cameras: ThreadPoolExecutor, images: Sequence[np.ndarray]
) -> list[Future[Prediction]]:
    """Hand over images while the network is busy, each by a thread of its own."""
    release = busy(engine)
    answers = [cameras.submit(engine.segment, image) for image in images]
    waiting(engine, len(images))
    release.set()
    return answers


def test_images_that_wait_go_through_the_network_in_one_run(
    model: Path, sizes: list[int], cameras: ThreadPoolExecutor
) -> None:
    engine, alone = BatchingEngine(model, "cpu", 0.0, threads=1), Engine(model, "cpu", threads=1)
    engine.warm_up()
    images = [picture(seed) for seed in range(3)]
    images.append(picture(9, (80, 104)))  # of another size: resized, and brought back
    answers = together(engine, cameras, images)
    for image, answer in zip(images, answers, strict=True):
        expected = alone.segment(image)
        np.testing.assert_array_equal(answer.result().mask, expected.mask)
        np.testing.assert_array_equal(answer.result().confidence, expected.confidence)
        assert answer.result().mask.shape == image.shape[:2]
    assert sizes == [1, 4], "a warm-up, and all"
    assert (engine.runs, engine.images) == (1, 4)


def test_images_of_several_sizes_make_a_run_for_each(
    tmp_path: Path, sizes: list[int], cameras: ThreadPoolExecutor
) -> None:
    model = write_model(tmp_path / "open.onnx", Kind(size=SIZE, batch=True, dynamic=True, half=False))
    engine, alone = BatchingEngine(model, "cpu", 0.0, threads=1), Engine(model, "cpu", threads=1)
    images = [picture(1), picture(2, (48, 64)), picture(3)]
    for image, answer in zip(images, together(engine, cameras, images), strict=True):
        np.testing.assert_array_equal(answer.result().mask, alone.segment(image).mask)
    assert sorted(sizes) == [1, 2]


def test_no_run_has_more_images_than_the_largest_batch(
    model: Path, sizes: list[int], cameras: ThreadPoolExecutor
) -> None:
    engine = BatchingEngine(model, "cpu", 0.0, threads=1)
    answers = together(engine, cameras, [picture(seed) for seed in range(LARGEST_BATCH + 2)])
    assert all(answer.result() for answer in answers)
    assert sizes == [LARGEST_BATCH, 2]


def test_it_waits_for_cameras_that_were_here_a_moment_ago(
    model: Path, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching_engine, "ALIVE_S", FAR)
    engine = BatchingEngine(model, "cpu", FAR, threads=1)
    with ThreadPoolExecutor(1) as front, ThreadPoolExecutor(1) as rear:
        front.submit(engine.segment, picture(0)).result()  # there is nobody else to wait for
        early = rear.submit(engine.segment, picture(1))
        waiting(engine, 1)  # for the camera in front
        late = front.submit(engine.segment, picture(2))
        assert early.result().mask.shape == late.result().mask.shape == SIZE
    assert sizes == [1, 2]


def test_a_camera_that_has_stopped_costs_nobody_anything(
    model: Path, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = BatchingEngine(model, "cpu", FAR, threads=1)
    with ThreadPoolExecutor(1) as front, ThreadPoolExecutor(1) as rear:
        rear.submit(engine.segment, picture(0)).result()
        monkeypatch.setattr(batching_engine, "ALIVE_S", 0.0)  # its second has passed
        front.submit(engine.segment, picture(1)).result()
    assert sizes == [1, 1]
    assert not engine._last_seen, "forgotten"


def test_no_image_waits_longer_than_it_may(
    model: Path, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching_engine, "ALIVE_S", FAR)
    engine = BatchingEngine(model, "cpu", 1.0, threads=1)
    with ThreadPoolExecutor(1) as front, ThreadPoolExecutor(1) as rear:
        for camera in (front, rear, front):  # the third is answered though rear sends nothing more
            camera.submit(engine.segment, picture(0)).result()
    assert sizes == [1, 1, 1]


def test_an_image_on_which_the_network_fails_does_not_spoil_the_others(
    model: Path, sizes: list[int], cameras: ThreadPoolExecutor
) -> None:
    engine = BatchingEngine(model, "cpu", 0.0, threads=1)
    bad = picture(1)
    bad[0, 0, 0] = 0
    good, failed, other = together(engine, cameras, [picture(0), bad, picture(2)])
    with pytest.raises(EngineError, match="running the network failed: no memory for this one"):
        failed.result()
    alone = Engine(model, "cpu", threads=1)
    np.testing.assert_array_equal(good.result().mask, alone.segment(picture(0)).mask)
    np.testing.assert_array_equal(other.result().mask, alone.segment(picture(2)).mask)
    assert sizes == [3, 1, 1, 1]
    engine.segment(picture(3))  # it works: it need not be opened again


def test_a_network_that_fails_on_all_is_opened_again_once(
    model: Path, sizes: list[int], cameras: ThreadPoolExecutor
) -> None:
    engine = BatchingEngine(model, "cpu", 0.0, threads=1)
    bad = picture(0)
    bad[0, 0, 0] = 0
    for answer in together(engine, cameras, [bad, bad]):
        with pytest.raises(EngineError, match="no memory for this one"):
            answer.result()
    with pytest.raises(EngineError, match="waits for being opened again"):
        engine.segment(picture(0))
    before = engine._binding
    engine.reopen()
    engine.reopen()
    assert engine._binding is not before
    engine.segment(picture(0))


def test_thresholds_and_arrays_are_those_of_each_camera(
    model: Path, sizes: list[int], cameras: ThreadPoolExecutor
) -> None:
    engine = BatchingEngine(model, "cpu", 0.0, threads=1)
    levels = np.full(256, 255, np.uint8)
    out = Prediction.empty(SIZE)
    release = busy(engine)
    strict = cameras.submit(engine.segment, picture(0), out=out, min_confidence=levels)
    plain = cameras.submit(engine.segment, picture(0))
    waiting(engine, 2)
    release.set()
    assert strict.result().mask is out.mask
    assert ((out.mask == 255) == (out.confidence < 255)).all()
    assert (plain.result().mask < 5).all()
    assert sizes == [2]


def test_cameras_share_an_engine_of_one_kind(model: Path) -> None:
    engines = SharedEngines()
    batching = engines.open(model, "cpu", threads=1, batch_wait_ms=2.0)
    assert isinstance(batching, BatchingEngine)
    assert engines.open(model, "cpu", threads=1, batch_wait_ms=2.0) is batching
    plain = engines.open(model, "cpu", threads=1)
    assert type(plain) is SharedEngine
    assert len(engines) == 2
