"""The bag that is always readable, compared with what rosbags' own reader makes of it."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from demo_drive import ROOT, START
from rosbags.rosbag2 import Reader

from kd_seg_ros.bags.messages import RELIABLE, STORE, STRING, string_cdr
from kd_seg_ros.bags.resumable_bag import METADATA, ResumableBag, Topic, notes_of
from kd_seg_ros.common.errors import UserError

DEFINITION = STORE.generate_msgdef(STRING, ros_version=2)[0]
TOPICS = [Topic(name, STRING, DEFINITION, STORE.hash_rihs01(STRING), [RELIABLE]) for name in ("/a", "/b")]


def parted(folder: Path, storage: str = "mcap", compress: bool = False) -> ResumableBag:
    return ResumableBag(folder, TOPICS, storage, compress, {"done": 0})


def read(folder: Path) -> list[tuple[str, int, str]]:
    with Reader(folder) as reader:
        found = [(c.topic, t, STORE.deserialize_cdr(raw, STRING)) for c, t, raw in reader.messages()]
    return [(topic, time, message.data) for topic, time, message in found]  # type: ignore[attr-defined]


def fill(bag: ResumableBag, start: int, count: int) -> list[tuple[str, int, str]]:
    entries = [(f"/{'ab'[n % 2]}", START + n * 10, f"text {n}") for n in range(start, start + count)]
    for topic, time, text in entries:
        bag.write(topic, time, string_cdr(text))
    return entries


@pytest.mark.parametrize(("storage", "compress"), [("mcap", False), ("mcap", True), ("sqlite3", False)])
def test_it_is_whole_at_every_moment(tmp_path: Path, storage: str, compress: bool) -> None:
    folder = tmp_path / "bag"
    expected: list[tuple[str, int, str]] = []
    with parted(folder, storage, compress) as bag:
        assert read(folder) == []
        for number in range(3):
            entries = fill(bag, 5 * number, 5)
            assert read(folder) == expected  # not yet
            bag.commit({"done": number + 1})
            expected += entries
            assert read(folder) == expected
            assert notes_of(folder) == {"done": number + 1}
        fill(bag, 100, 1)  # given up by leaving
    assert read(folder) == expected
    assert {file.name for file in folder.iterdir()} == {
        METADATA,
        *(f"bag_{n}.{'mcap' if storage == 'mcap' else 'db3'}" for n in range(3)),
    }
    with parted(folder, storage, compress) as bag:
        assert bag.notes == {"done": 3}
        expected += fill(bag, 15, 2)
        bag.commit({"done": 4})
    assert read(folder) == expected


def test_metadata_holds_what_ros2_bag_needs(tmp_path: Path) -> None:
    with parted(tmp_path / "bag") as bag:
        fill(bag, 2, 3)
        bag.commit({})
        fill(bag, 0, 2)  # earlier ones, later
        bag.commit({})
    content: dict[str, Any] = yaml.safe_load((tmp_path / "bag" / METADATA).read_text())
    found = content["rosbag2_bagfile_information"]
    assert found["version"] == 8  # Humble reads no 9: its QoS are words
    assert found["storage_identifier"] == "mcap"
    assert found["starting_time"] == {"nanoseconds_since_epoch": START}
    assert found["duration"] == {"nanoseconds": 40}
    assert found["message_count"] == 5
    counts = {t["topic_metadata"]["name"]: t["message_count"] for t in found["topics_with_message_count"]}
    assert counts == {"/a": 3, "/b": 2}
    assert found["relative_file_paths"] == ["bag_0.mcap", "bag_1.mcap"]
    assert [f["path"] for f in found["files"]] == found["relative_file_paths"]
    assert [f["message_count"] for f in found["files"]] == [3, 2]
    assert [f["starting_time"]["nanoseconds_since_epoch"] - START for f in found["files"]] == [20, 0]
    (offered,) = yaml.safe_load(
        found["topics_with_message_count"][0]["topic_metadata"]["offered_qos_profiles"]
    )
    assert (offered["reliability"], offered["durability"], offered["history"]) == (1, 2, 1)  # rmw's numbers
    with Reader(tmp_path / "bag") as reader:
        assert (reader.start_time, reader.end_time, reader.message_count) == (START, START + 41, 5)


def test_what_a_killed_process_leaves_is_cleared_away(tmp_path: Path) -> None:
    folder = tmp_path / "bag"
    with parted(folder) as bag:
        expected = fill(bag, 0, 3)
        bag.commit({"done": 3})
    (folder / "bag_1.mcap").write_bytes(b"moved to its place, but not listed")
    (folder / ".writing" / "bag_2").mkdir(parents=True)
    (folder / ".writing" / "bag_2" / "bag_2.mcap").write_bytes(b"half a part")
    (folder / "diary.txt").write_text("kept")
    with parted(folder) as bag:
        expected += fill(bag, 3, 1)
        bag.commit({"done": 4})
    assert read(folder) == expected
    assert sorted(f.name for f in folder.iterdir()) == ["bag_0.mcap", "bag_1.mcap", "diary.txt", METADATA]


def test_two_processes_do_not_write_one_bag(tmp_path: Path) -> None:
    with parted(tmp_path / "bag"), pytest.raises(UserError, match="being written by another process"):
        parted(tmp_path / "bag")


def test_notes_are_of_bags_written_here_only(tmp_path: Path) -> None:
    assert notes_of(tmp_path) is None
    (tmp_path / METADATA).write_text("rosbag2_bagfile_information:\n  custom_data:\n")
    assert notes_of(tmp_path) is None


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_full_disk_keeps_what_was_committed(tmp_path: Path, storage: str) -> None:
    code = f"""
import sys
sys.path[:0] = ["test/support", "test/kd_seg_ros/bags", "."]
from pathlib import Path
from test_resumable_bag import parted, fill
from kd_seg_ros.common.errors import UserError
try:
    with parted(Path({str(tmp_path / "bag")!r}), {storage!r}) as bag:
        fill(bag, 0, 4)
        bag.commit({{"done": 4}})
        for start in range(4, 100_000, 1000):
            fill(bag, start, 1000)
        bag.commit({{"done": 100_000}})
except UserError as error:
    print(error)
"""

    def limit() -> None:  # what a file may have; stands for the disk
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, preexec_fn=limit, timeout=600
    )
    assert "cannot be written" in done.stdout, done.stdout + done.stderr
    assert "are kept" in done.stdout
    assert [text for *_, text in read(tmp_path / "bag")] == [f"text {n}" for n in range(4)]
    assert notes_of(tmp_path / "bag") == {"done": 4}
    assert not (tmp_path / "bag" / ".writing").exists()
