"""Bags in folders of any name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from numpy.random import default_rng

from kd_seg_ros.bags.messages import string_cdr
from kd_seg_ros.bags.reading import messages, open_bag
from kd_seg_ros.bags.resumable_bag import ResumableBag, Topic, own_files
from kd_seg_ros.bags.writing import STORAGES, file_stem
from kd_seg_ros.faults.bags import FRAMES, whole_bag

NAMES = ["a#1", "a?b", "a%20b", "with space", "dots..", "[x]*", "ü", os.fsdecode(b"not\xffutf8")]


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("name", NAMES)
def test_messages_land_in_the_bag(name: str, storage: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    bag = whole_bag(tmp_path / name / file_stem(Path(name)), default_rng(0), storage)
    with open_bag(bag) as reader:
        assert len(list(messages(reader, reader.connections))) == 2 * FRAMES
    assert [path.name for path in (tmp_path / name).iterdir()] == [bag.name]
    assert {path.name for path in tmp_path.iterdir()} == {name}


@pytest.mark.parametrize("name", NAMES)
def test_a_bag_in_parts_knows_its_own_files(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    topic = Topic("/note", "std_msgs/msg/String", "string data\n", "RIHS01_" + 64 * "0", [])
    for overwrite in (False, False, True):
        with ResumableBag(folder, [topic], "sqlite3", False, {"command": {}}, overwrite) as bag:
            bag.write("/note", 1, b"\0\1\0\0\2\0\0\0a\0")
            bag.commit({"command": {}})
        with open_bag(folder) as reader:
            count = len(list(messages(reader, reader.connections)))
    assert count == 1
    assert len(own_files(folder)) == 2


def test_a_name_that_is_no_utf8_fits_into_a_message() -> None:
    assert string_cdr(os.fsdecode(b"a\xff.png"))[8:] == "a\ufffd.png".encode() + b"\0"
