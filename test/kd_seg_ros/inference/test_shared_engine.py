from __future__ import annotations

import gc
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_model

from kd_seg_ros.inference.engine import Engine, EngineError
from kd_seg_ros.inference.shared_engine import SharedEngine, SharedEngines

SIZE = (16, 24)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tiny_model.write_tiny_model(tmp_path / "tiny.onnx", *SIZE)


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 200, (*SIZE, 3), np.uint8)


def test_threads_get_the_answers_to_their_own_images(model: Path) -> None:
    engine = SharedEngine(model, "cpu")
    engine.warm_up()
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda seed: engine.segment(picture(seed)), range(64)))
    for seed, answer in enumerate(answers):
        mask, confidence = tiny_model.expected(picture(seed))
        np.testing.assert_array_equal(answer.mask, mask)
        np.testing.assert_array_equal(answer.confidence, confidence)


def test_one_thread_does_all_the_work(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Providers keep memory and recorded graphs for each thread that runs a network."""
    threads: list[int] = []
    for name in ("_open", "segment", "warm_up", "reopen"):
        genuine = getattr(Engine, name)

        def noted(self: Engine, *args: Any, genuine: Any = genuine, **options: Any) -> Any:
            threads.append(threading.get_ident())
            return genuine(self, *args, **options)

        monkeypatch.setattr(Engine, name, noted)
    engine = SharedEngine(model, "cpu")
    engine.warm_up()
    with ThreadPoolExecutor(3) as callers:
        list(callers.map(lambda seed: engine.segment(picture(seed)), range(6)))
    engine._failed = True
    engine.reopen()
    assert len(threads) >= 10
    assert len(set(threads)) == 1
    assert threads[0] != threading.get_ident()


def test_it_opens_again_once_for_all_who_saw_it_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_model.write_tiny_model(tmp_path / "fragile.onnx", *SIZE, fragile=True)
    opened: list[Engine] = []
    genuine = Engine._open

    def noted(self: Engine) -> None:
        opened.append(self)
        genuine(self)

    monkeypatch.setattr(Engine, "_open", noted)
    engine = SharedEngine(model, "cpu")
    engine.reopen()
    assert len(opened) == 1, "it works: there is nothing to mend"
    with pytest.raises(EngineError, match="running the network failed"):
        engine.segment(np.full((*SIZE, 3), 255, np.uint8))
    with pytest.raises(EngineError, match="waits for being opened again"):
        engine.segment(picture(0))
    for _ in range(3):  # each camera
        engine.reopen()
    assert len(opened) == 2
    np.testing.assert_array_equal(engine.segment(picture(0)).mask, tiny_model.expected(picture(0))[0])


def test_while_the_file_is_gone_every_run_is_refused_in_one_line(model: Path, tmp_path: Path) -> None:
    engine = SharedEngine(model, "cpu")
    shutil.move(model, tmp_path / "elsewhere.onnx")
    engine._failed = True
    with pytest.raises(EngineError):
        engine.reopen()
    with pytest.raises(EngineError, match="waits for being opened again"):
        engine.segment(picture(0))
    shutil.move(tmp_path / "elsewhere.onnx", model)
    engine.reopen()
    engine.warm_up()


def test_cameras_with_one_file_and_one_setting_share(model: Path, tmp_path: Path) -> None:
    engines = SharedEngines()
    first = engines.open(model, "cpu", threads=1)
    assert engines.open(model, "cpu", threads=1) is first
    assert engines.open(model, "cpu", threads=2) is not first
    other = engines.open(Path(shutil.copy(model, tmp_path / "other.onnx")), "cpu", threads=1)
    assert other is not first
    gc.collect()
    assert len(engines) == 2, "the one with two threads is used by nobody"
    shutil.copy(model, tmp_path / "new.onnx")
    shutil.move(tmp_path / "new.onnx", model)
    assert engines.open(model, "cpu", threads=1) is not first, "the file was replaced"
    with pytest.raises(EngineError, match=r"missing\.onnx"):
        engines.open(tmp_path / "missing.onnx", "cpu")
