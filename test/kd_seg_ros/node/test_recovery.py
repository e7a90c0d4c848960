"""A bounded number of attempts to bring an engine back."""

from __future__ import annotations

from threading import Thread
from typing import Any

import pytest

from kd_seg_ros.inference.engine import EngineError
from kd_seg_ros.node import recovery
from kd_seg_ros.node.recovery import Recovery

LOST = EngineError("device lost")


class Stub:
    """An engine that fails to open a given number of times."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.calls: list[str] = []

    def reopen(self) -> None:
        self.calls.append("reopen")
        if len(self.calls) <= self.failures:
            raise EngineError("still lost")

    def warm_up(self) -> None:
        self.calls.append("warm up")


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "PAUSES_S", (0.0, 0.0, 0.0))


def recovered(failures: int) -> tuple[Any, Stub, list[str]]:
    stub = Stub(failures)
    engine: Any = stub
    lines: list[str] = []
    found = Recovery(engine, lines.append)
    found.failed(LOST)
    return found, stub, lines


@pytest.mark.parametrize("failures", [0, 1, 2])
def test_it_comes_back(failures: int) -> None:
    found, stub, lines = recovered(failures)
    assert stub.calls == ["reopen"] * (failures + 1) + ["warm up"]
    assert not found.given_up
    assert f"attempt {failures + 1} of 3" in found.trouble, "until a frame has worked"
    found.worked()
    assert found.trouble == ""
    assert lines[0] == "device lost; attempt 1 of 3 to start it again in 0 s"
    assert all(line.startswith("still lost; ") for line in lines[1:])


def test_it_stays_lost() -> None:
    found, stub, lines = recovered(3)
    assert stub.calls == ["reopen"] * 3
    assert found.given_up
    assert found.trouble == "still lost; given up after 3 attempts"
    assert len(lines) == 3


def test_it_opens_each_time_but_no_frame_works() -> None:
    found, stub, _ = recovered(0)
    for _ in range(3):
        assert not found.given_up
        found.failed(LOST)
    assert found.given_up
    assert stub.calls == ["reopen", "warm up"] * 3


def test_a_pause_ends_when_the_node_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "PAUSES_S", (3600.0,))
    engine: Any = Stub(0)
    found = Recovery(engine, lambda _: None)
    waiting = Thread(target=found.failed, args=(LOST,))
    waiting.start()
    found.stop()
    waiting.join(30)
    assert not waiting.is_alive()
    assert engine.calls == []


def test_any_failure_counts_as_an_attempt() -> None:
    class Broken(Stub):
        def reopen(self) -> None:
            raise RuntimeError("no memory for the buffers")

    engine: Any = Broken(0)
    found = Recovery(engine, lambda _: None)
    found.failed(LOST)
    assert found.given_up
    assert found.trouble == "no memory for the buffers; given up after 3 attempts"
