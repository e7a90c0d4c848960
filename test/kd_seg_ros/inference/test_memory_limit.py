from __future__ import annotations

import resource
from pathlib import Path
from threading import Barrier, Thread

import numpy as np
import pytest

from kd_seg_ros.faults.greedy_models import GREEDY_CASES, MEMORY_MB
from kd_seg_ros.faults.model_cards import small_model
from kd_seg_ros.faults.models import faulty_model
from kd_seg_ros.inference import memory_limit
from kd_seg_ros.inference.engine import Engine
from kd_seg_ros.inference.errors import EngineError
from kd_seg_ros.inference.memory_limit import limit_bytes, limited_memory, memory_was_refused

MB = 10**6


def soft_limit() -> int:
    return resource.getrlimit(resource.RLIMIT_DATA)[0]


@pytest.mark.parametrize("case", GREEDY_CASES)
def test_a_file_that_asks_for_more_memory_is_refused_in_one_line(case: str, tmp_path: Path) -> None:
    path = tmp_path / "greedy.onnx"
    path.write_bytes(faulty_model(case, seed=3).content)
    with pytest.raises(EngineError) as caught:
        Engine(path, "cpu", threads=1, memory_mb=MEMORY_MB).warm_up()
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert "max_model_memory_mb" in message or "supported maximum" in message  # a limit of the operator's own


def test_the_size_in_a_card_is_bounded_too(tmp_path: Path) -> None:
    """Of such a size is the image that the first run is made with."""
    path = tmp_path / "large.onnx"
    path.write_bytes(small_model(8000, 8000))
    engine = Engine(path, "cpu", threads=1, memory_mb=MEMORY_MB)
    with pytest.raises(EngineError, match="more than the 64 MB"):
        engine.warm_up()


def test_a_file_within_the_limit_runs_and_gives_the_limit_back(tmp_path: Path) -> None:
    path = tmp_path / "small.onnx"
    path.write_bytes(small_model())
    before = soft_limit()
    engine = Engine(path, "cpu", threads=1, memory_mb=MEMORY_MB)
    engine.warm_up()
    assert soft_limit() == before
    assert engine.segment(np.zeros((24, 32, 3), np.uint8)).mask.shape == (24, 32)


def test_beyond_the_limit_memory_is_refused_and_within_it_is_not() -> None:
    with limited_memory(200 * MB):
        assert np.zeros(20 * MB, np.uint8).size == 20 * MB
        with pytest.raises(MemoryError) as caught:
            np.zeros(2000 * MB, np.uint8)
    assert memory_was_refused(caught.value)
    assert np.zeros(2000 * MB, np.uint8).size == 2000 * MB


def test_the_limit_stays_until_the_last_block_ends() -> None:
    before, both, left = soft_limit(), Barrier(2, timeout=60), Barrier(2, timeout=60)

    def other() -> None:
        with limited_memory(400 * MB):
            both.wait()
            left.wait()

    thread = Thread(target=other)
    with limited_memory(300 * MB):
        first = soft_limit()
        thread.start()
        both.wait()
        assert soft_limit() == first
    assert soft_limit() == first
    left.wait()
    thread.join()
    assert soft_limit() == before


def test_a_stricter_limit_of_the_user_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    before = resource.getrlimit(resource.RLIMIT_DATA)
    with limited_memory(300 * MB):
        strict = soft_limit()
    resource.setrlimit(resource.RLIMIT_DATA, (strict, before[1]))
    try:
        with limited_memory(10**15):
            assert soft_limit() == strict
        assert soft_limit() == strict
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def test_without_a_number_it_is_half_of_the_machine_or_of_the_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    container = tmp_path / "memory.max"
    monkeypatch.setattr(memory_limit, "_CGROUP_LIMITS", (container, tmp_path / "missing"))
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemTotal:"):
            total = int(line.split()[1]) * 1024
    assert limit_bytes(0) == total // 2
    container.write_text("max\n")
    assert limit_bytes(0) == total // 2
    container.write_text(f"{512 * MB}\n")
    assert limit_bytes(0) == 256 * MB
    assert limit_bytes(700) == 700 * MB
