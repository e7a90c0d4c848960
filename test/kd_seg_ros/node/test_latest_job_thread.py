"""A thread for jobs of which only the newest matters."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event

import pytest

from kd_seg_ros.node.latest_job_thread import LatestJobThread


@pytest.fixture
def errors() -> list[Exception]:
    return []


@pytest.fixture
def worker(errors: list[Exception]) -> Iterator[LatestJobThread]:
    worker = LatestJobThread("test", errors.append)
    worker.start()
    yield worker
    worker.stop()


def test_the_newest_job_wins(worker: LatestJobThread) -> None:
    begun, go_on, done = Event(), Event(), Event()
    order: list[int] = []

    def first() -> None:
        begun.set()
        assert go_on.wait(300)
        order.append(1)

    def last() -> None:
        order.append(3)
        done.set()

    worker.give(first)
    assert begun.wait(300)
    worker.give(lambda: order.append(2))
    worker.give(last)
    assert order == []
    go_on.set()
    assert done.wait(300)
    assert order == [1, 3]


def test_a_job_that_fails_is_reported_and_the_next_is_done(
    worker: LatestJobThread, errors: list[Exception]
) -> None:
    done, failed = Event(), ValueError("no")

    def fail() -> None:
        done.set()
        raise failed

    worker.give(fail)
    assert done.wait(300)
    done.clear()
    worker.give(done.set)
    assert done.wait(300)
    assert errors == [failed]


def test_stopping_twice_does_no_harm(worker: LatestJobThread) -> None:
    worker.stop()
    worker.give(lambda: pytest.fail("stopped"))
