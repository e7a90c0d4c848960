"""Files that are compressed as a whole."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest
from numpy.random import default_rng
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

from kd_seg_ros.bags import compression, unpacking
from kd_seg_ros.bags.messages import STORE, string_cdr
from kd_seg_ros.bags.reading import messages, open_bag
from kd_seg_ros.bags.unpacking import UnpackedFiles
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.faults.bags import START, whole_bag

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def _own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    yield
    unpacking.UNPACKED.remove()


def compressed_bag(path: Path, plugin: StoragePlugin = StoragePlugin.SQLITE3) -> Path:
    writer = Writer(path, version=8, storage_plugin=plugin)
    writer.set_compression(CompressionMode.FILE, CompressionFormat.ZSTD)
    with writer:
        connection = writer.add_connection("/note", "std_msgs/msg/String", typestore=STORE)
        for number in range(5):
            writer.write(connection, START + number, string_cdr(str(number)))
    return path


@pytest.mark.parametrize("plugin", list(StoragePlugin))
def test_unpacked_once_and_removed(
    tmp_path: Path, plugin: StoragePlugin, caplog: pytest.LogCaptureFixture
) -> None:
    unpacking.UNPACKED.remove()  # what other tests of this process have unpacked elsewhere
    bag = compressed_bag(tmp_path / "bag", plugin)
    caplog.set_level("INFO")
    for _ in range(3):
        with open_bag(bag) as reader:
            assert len(list(messages(reader, reader.connections))) == 5
    with open_bag(next(bag.glob("*.zstd"))) as reader:
        assert reader.message_count == 5
    assert len(caplog.records) == 1
    assert len(list((tmp_path / "tmp").iterdir())) == 1
    unpacking.UNPACKED.remove()
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_child_process_reads_what_its_parent_has_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (packed,) = compressed_bag(tmp_path / "bag").glob("*.zstd")
    parent, child, late = UnpackedFiles(), UnpackedFiles(), UnpackedFiles()
    assert parent.for_children() == {}
    copy = parent.get(packed)
    for name, value in parent.for_children().items():
        monkeypatch.setenv(name, value)
    assert child.get(packed) == copy
    child.remove()
    assert copy.is_file()  # it is the parent's
    os.utime(packed, ns=(1, 1))
    assert UnpackedFiles().get(packed) != copy  # not the same file any more
    parent.remove()
    assert late.get(packed).is_file()
    monkeypatch.setenv("KD_SEG_UNPACKED", "{3")
    assert UnpackedFiles().get(packed).is_file()


def test_a_changed_file_is_unpacked_again(tmp_path: Path) -> None:
    bag = compressed_bag(tmp_path / "bag")
    files = UnpackedFiles()
    (packed,) = bag.glob("*.zstd")
    first = files.get(packed)
    os.utime(packed, ns=(1, 1))
    assert files.get(packed) != first
    files.remove()


class Usage(NamedTuple):
    free: int


def test_too_little_room_is_told_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bag = compressed_bag(tmp_path / "bag")
    (packed,) = bag.glob("*.zstd")
    whole = compression.zstd.decompress(packed.read_bytes())
    packed.write_bytes(compression.zstd.compress(whole))  # its head names the size
    size = len(whole)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(size + 64 * 2**20 - 1))
    complaint = r"unpacked it takes 0\.0 MB, and .* has 0\.0 MB free: set TMPDIR"
    with pytest.raises(UserError, match=complaint), open_bag(bag):
        pass
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(size + 64 * 2**20))
    with open_bag(bag) as reader:
        assert reader.message_count == 5


def test_the_size_is_counted_where_the_file_does_not_say_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bag = compressed_bag(tmp_path / "bag")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(64 * 2**20))
    with pytest.raises(UserError, match="set TMPDIR"), open_bag(bag):
        pass


def test_a_cut_file_is_one_line(tmp_path: Path) -> None:
    bag = compressed_bag(tmp_path / "bag")
    (packed,) = bag.glob("*.zstd")
    packed.write_bytes(packed.read_bytes()[:-20])
    with pytest.raises(UserError, match=r"bag\.db3\.zstd: .*damaged or cut short"), open_bag(bag):
        pass


PROGRAM = """
import sys, time
from kd_seg_ros.bags.reading import open_bag
with open_bag(sys.argv[1]) as reader:
    print(reader.message_count, flush=True)
    time.sleep(60)
"""


def test_signals_leave_nothing_and_leftovers_are_removed(tmp_path: Path) -> None:
    bag = compressed_bag(tmp_path / "bag")
    temporary = tmp_path / "tmp"
    environment = os.environ | {"TMPDIR": str(temporary), "PYTHONPATH": str(ROOT)}
    for number, left in ((signal.SIGKILL, 1), (signal.SIGTERM, 0), (signal.SIGHUP, 0), (signal.SIGINT, 0)):
        with subprocess.Popen(
            [sys.executable, "-c", PROGRAM, bag],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"5\n"
            assert len(list(temporary.iterdir())) == 1  # what the killed one left is gone by now
            process.send_signal(number)
            process.wait(600)
        assert len(list(temporary.iterdir())) == left


def test_an_uncompressed_bag_needs_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0))
    with open_bag(whole_bag(tmp_path / "bag", default_rng(0))) as reader:
        assert reader.message_count > 0
