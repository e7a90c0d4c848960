from __future__ import annotations

from collections.abc import Iterator
from threading import Event, get_ident

import pytest

from kd_seg_ros.bags.pipeline import BackgroundWorker, parallel_map, prefetched


def failing(count: int) -> Iterator[int]:
    yield from range(count)
    raise OSError("damaged")


def test_items_come_in_order_from_another_thread() -> None:
    assert list(prefetched(iter(range(50)), 4)) == list(range(50))
    threads = set(prefetched((get_ident() for _ in range(5)), 2))
    assert len(threads) == 1
    assert get_ident() not in threads


def test_results_keep_the_order_of_the_items_whichever_is_ready_first() -> None:
    second_done = Event()

    def slow_first(item: int) -> int:
        if item == 0:
            assert second_done.wait(300)
        if item == 1:
            second_done.set()
        return item * item

    assert list(parallel_map(slow_first, range(20), 2, 4)) == [item * item for item in range(20)]


def test_reading_ahead_is_bounded() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            yield number

    source = prefetched(items(), 3)
    assert next(source) == 0
    source.close()
    assert len(made) <= 5


def test_what_stands_before_a_failure_still_comes() -> None:
    seen = []
    with pytest.raises(OSError, match="damaged"):  # noqa: PT012
        for item in parallel_map(str, prefetched(failing(7), 2), 2, 4):
            seen.append(item)
    assert seen == [str(item) for item in range(7)]


def test_writing_behind_calls_in_order_and_stops_at_the_first_failure() -> None:
    written: list[int] = []

    def write(item: int) -> None:
        if item == 5:
            raise OSError("disk full")
        written.append(item)

    def put_all(worker: BackgroundWorker[int]) -> None:
        try:
            for item in range(20):
                worker.put(item)
        finally:
            worker.close()

    worker = BackgroundWorker(write, 3)
    with pytest.raises(OSError, match="disk full"):
        put_all(worker)
    assert written == [0, 1, 2, 3, 4]  # nothing after the gap
    assert worker.failed


def test_closing_waits_for_everything() -> None:
    written: list[int] = []
    worker = BackgroundWorker(written.append, 10)
    for item in range(8):
        worker.put(item)
    worker.close()
    assert written == list(range(8))
    assert not worker.failed
