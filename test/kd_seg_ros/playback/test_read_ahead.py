from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from drive_bag import write_bag
from rosbags.rosbag2 import StoragePlugin

from kd_seg_ros.bags.reading import messages, open_bag
from kd_seg_ros.playback.read_ahead import ReadAhead, Recorded


def never() -> bool:
    return False


def numbered(count: int, size: int = 10) -> list[Recorded]:
    return [Recorded("/a", number, bytes(size)) for number in range(count)]


def test_rounds_come_in_order_and_end() -> None:
    source: list[Recorded | None] = [*numbered(3), None, *numbered(2), None]
    ahead = ReadAhead(iter(source))
    ahead.fill(never)
    assert list(ahead.round(never)) == numbered(3)
    assert list(ahead.round(never)) == numbered(2)
    assert list(ahead.round(never)) == []
    ahead.close()


def test_no_more_is_read_than_may_wait() -> None:
    read: list[int] = []

    def source() -> Iterator[Recorded]:
        for message in numbered(100):
            read.append(message.time)
            yield message

    ahead = ReadAhead(source(), limit_bytes=30)
    ahead.fill(never)
    time.sleep(0.05)  # if it read on, it would have by now
    assert len(read) == 3
    assert [message.time for message in ahead.round(never)] == list(range(100))
    ahead.close()


def test_one_message_may_be_larger_than_all_that_may_wait() -> None:
    ahead = ReadAhead(iter(numbered(3, size=100)), limit_bytes=30)
    assert len(list(ahead.round(never))) == 3
    ahead.close()


def test_an_error_comes_after_what_was_read_before_it() -> None:
    def source() -> Iterator[Recorded]:
        yield from numbered(2)
        raise ValueError("torn")

    ahead = ReadAhead(source())
    ahead.fill(never)
    got: list[Recorded] = []
    with pytest.raises(ValueError, match="torn"):
        got.extend(ahead.round(never))
    assert got == numbered(2)
    ahead.close()


def test_giving_up_and_closing_while_more_is_to_come() -> None:
    asked = iter([False, False, True])
    ahead = ReadAhead(iter(numbered(1000)), limit_bytes=30)
    assert len(list(ahead.round(lambda: next(asked, True)))) <= 2
    ahead.close()
    assert not ahead._thread.is_alive()


@pytest.mark.parametrize("plugin", list(StoragePlugin))
def test_a_bag_is_read_by_the_thread(tmp_path: Path, plugin: StoragePlugin) -> None:
    recorded = write_bag(tmp_path / "bag", frames=5, plugin=plugin)
    with open_bag(tmp_path / "bag") as reader:
        source = (Recorded(c.topic, stamp, raw) for c, stamp, raw in messages(reader, reader.connections))
        ahead = ReadAhead(source)
        assert [tuple(message) for message in ahead.round(never)] == recorded
        ahead.close()
