"""Which images a network was trained on: found again under any path, forgotten by nobody."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from drive_bag import write_bag
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.datasets import training_images
from distill.datasets.folder import list_folder_split
from distill.datasets.frame import Frame
from distill.datasets.training_images import TrainingImages, file_digest


def frames(*paths: Path) -> list[Frame]:
    return [Frame(path, None, "fog") for path in paths]


def test_copies_and_links_of_training_images_are_found(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / name).write_bytes(name.encode() * 1000)
    trained = TrainingImages.of(frames(tmp_path / "a", tmp_path / "b"))
    assert trained.count == 2
    shutil.copy(tmp_path / "a", tmp_path / "copy")
    (tmp_path / "link").symlink_to("b")
    os.link(tmp_path / "b", tmp_path / "hard")
    assert trained.among(frames(*(tmp_path / name for name in ("copy", "link", "hard", "c")))) == 3


@pytest.mark.parametrize("size", [0, 1, 131071, 131072, 131073, 400_000])
def test_a_change_at_either_end_or_of_the_length_is_another_image(size: int, tmp_path: Path) -> None:
    content = bytearray(os.urandom(size))
    path = tmp_path / "a"
    seen = set()
    for change in ("none", "first", "last", "longer"):
        if change in ("first", "last") and size:
            content[0 if change == "first" else -1] ^= 1
        path.write_bytes(content + b"x" * (change == "longer"))
        seen.add(file_digest(path))
    assert len(seen) == (4 if size > 1 else 3 if size else 2)
    assert None not in seen


def test_of_a_large_file_blocks_over_its_whole_length_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a"
    before = None
    for megabyte in range(1, 4):
        path.write_bytes(b"\0" * (megabyte << 20) + b"x" * ((4 - megabyte) << 20))
        assert path.stat().st_size == 4 << 20
        digest = file_digest(path)
        assert digest != before
        before = digest


def test_what_is_no_file_has_no_digest_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    odd = [tmp_path / "pipe", tmp_path / "loop", tmp_path / "missing", tmp_path, tmp_path / ("x" * 300)]
    assert TrainingImages.of(frames(*odd, Path("/dev/null"))) == TrainingImages(0, frozenset())
    assert TrainingImages(1, frozenset([b"123456"])).among(frames(*odd)) == 0


@given(st.sets(st.binary(min_size=6, max_size=6), max_size=30), st.sets(st.binary(min_size=6, max_size=6)))
@settings(deadline=None)
def test_what_is_written_is_read_back_and_trainings_are_joined(ours: set[bytes], more: set[bytes]) -> None:
    first, second = TrainingImages(len(ours), frozenset(ours)), TrainingImages(len(more), frozenset(more))
    assert TrainingImages.parse(first.document()) == first
    assert first.joined(second) == TrainingImages(len(ours | more), frozenset(ours | more))


def test_of_many_images_a_fixed_part_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(training_images, "MOST_KEPT", 4)
    paths = [tmp_path / str(number) for number in range(10)]
    for path in paths:
        path.write_text(path.name)
    trained = TrainingImages.of(frames(*paths))
    assert (trained.count, len(trained.digests)) == (10, 4)
    assert trained.among(frames(*paths)) == 4
    assert TrainingImages.parse(trained.document()) == trained
    joined = trained.joined(TrainingImages.of(frames(paths[0])))
    assert (joined.count, len(joined.digests)) == (11, 4)


@pytest.mark.parametrize(
    "values",
    [
        None,
        {},
        [],
        {"count": 1, "digests": "x"},
        {"count": 1, "digests": ""},
        {"count": True, "digests": "MTIzNDU2"},
        {"count": 2, "digests": "MTIzNDU2MTIzNDU2"},
        {"count": 1, "digests": 7},
        {"count": -1, "digests": ""},
        {"digests": "MTIzNDU2"},
    ],
)
def test_what_cannot_be_right_is_not_known(values: object) -> None:
    assert TrainingImages.parse(values) is None


def test_images_of_a_bag_are_known_by_their_messages(tmp_path: Path) -> None:
    write_bag(tmp_path / "drive", frames=4)
    found = list_folder_split(tmp_path, None, images="drive", topic="/camera/image_raw").complete()
    (tmp_path / "file").write_text("another image")
    trained = TrainingImages.of(found[:2])
    assert trained.count == 2
    assert trained.among([*found, *frames(tmp_path / "file")]) == 2
