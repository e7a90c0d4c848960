"""Bags with something wrong in them: a line each, and what could be done is kept."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from demo_drive import START, STORE, frame, image_message, read_bag, stamp_of, write_drive
from demo_drive import write_messages as write_mcap
from rosbags.rosbag2 import StoragePlugin, Writer
from segmented_bag import (
    CAMERA,
    HEIGHT,
    MASK,
    WIDTH,
    check_maps,
    drive,
    pixels,
    raw_messages,
    run,
)
from tiny_model import expected, write_tiny_model

from kd_seg_ros.bags.resumable_bag import notes_of


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("model") / "tiny.onnx", HEIGHT, WIDTH)


@pytest.fixture(autouse=True)
def _signals() -> Any:
    """The command sets its own handlers."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    yield
    for number, handler in zip((signal.SIGINT, signal.SIGTERM), before, strict=True):
        signal.signal(number, handler)


def test_frames_that_cannot_be_decoded_are_counted_and_passed_over(
    tmp_path: Path, model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    entries = []
    for number in range(12):
        message = image_message(frame(number)[0], START + number)
        if number in (4, 7):
            message.encoding = "16UC1"
        entries.append((CAMERA, START + number, message))
    bag = write_mcap(tmp_path / "bag", entries)
    assert run(bag, model, tmp_path / "out", "--csv", tmp_path / "frames.csv") == 0
    captured = capfd.readouterr()
    assert "10 of 12 frames segmented" in captured.out
    assert captured.err.count("warning:") == 1
    assert "2 frames could not be decoded and have no mask: frame 5, /camera/image_raw: enc" in captured.err
    check_maps(tmp_path / "out", [frame(n)[0] for n in range(12) if n not in (4, 7)])
    lines = (tmp_path / "frames.csv").read_text().splitlines()[1:]
    assert [line.partition(",")[0] for line in lines][3:6] == ["4", "6", "7"]


def test_a_bag_of_no_usable_frame_is_an_error(
    tmp_path: Path, model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    message = image_message(frame(0)[1], START)
    message.encoding = "16UC1"
    bag = write_mcap(tmp_path / "bag", [(CAMERA, START, message)])
    assert run(bag, model, tmp_path / "out") == 2
    assert "not one of 1 images could be decoded" in capfd.readouterr().err


def test_stamps_that_go_back_and_mixed_sizes_are_kept_with_a_word(
    tmp_path: Path, model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    stamps = [START + offset for offset in (0, 10, 5, 5, 20, 3)]
    images = [frame(n)[0] if n != 2 else np.repeat(np.repeat(frame(n)[0], 2, 0), 2, 1) for n in range(6)]
    entries = [(CAMERA, START + n, image_message(images[n], stamp)) for n, stamp in enumerate(stamps)]
    bag = write_mcap(tmp_path / "bag", entries)
    video = tmp_path / "drive.gif"
    assert run(bag, model, tmp_path / "out", "--video", video) == 0
    error = capfd.readouterr().err
    assert "warning: 2 header stamps go back in time; kept as they are" in error
    assert "images of several sizes (64×48, 128×96)" in error
    masks = read_bag(tmp_path / "out")[MASK]
    assert [stamp_of(mask) for mask in masks] == stamps
    assert [(mask.height, mask.width) for mask in masks][1:4] == [(48, 64), (96, 128), (48, 64)]
    np.testing.assert_array_equal(pixels(masks[3]), expected(images[3])[0])
    assert video.stat().st_size


def cut_bag(path: Path, kind: str, keep: Callable[[bytes], bytes]) -> Path:
    drive(path, 400, kind)
    (file,) = [*path.glob("*.mcap"), *path.glob("*.db3")]
    file.write_bytes(keep(file.read_bytes()))
    return path


def half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def blanked(data: bytes) -> bytes:
    """A stretch of zeros in the data, not in the index at the end."""
    start = len(data) // 2
    return data[:start] + bytes(len(data) // 50) + data[start + len(data) // 50 :]


def test_a_bag_damaged_on_the_way_leaves_the_frames_before(
    tmp_path: Path, model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bag = cut_bag(tmp_path / "bag", "mcap, storage zstd", blanked)
    for _ in range(2):  # once more makes it no worse
        assert run(bag, model, tmp_path / "out") == 2
        (line,) = capfd.readouterr().err.splitlines()[-1:]
        frames = (notes_of(tmp_path / "out") or {})["frames"]
        assert line.startswith(f"error: {bag}: the bag is damaged")
        assert line.endswith(f"(frames 1 to {frames} of 400 are in {tmp_path / 'out'})")
        assert 100 < frames < 300
        check_maps(tmp_path / "out", [frame(n)[0] for n in range(frames)])


def test_frames_that_the_damage_hides_do_not_go_unnoticed(
    tmp_path: Path, model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bag = cut_bag(tmp_path / "bag", "mcap", blanked)  # rosbags reads over it without a word
    assert run(bag, model, tmp_path / "out") == 2
    lost = 400 - len(read_bag(tmp_path / "out")[MASK])
    assert lost > 0
    assert f"{lost} of 400 messages cannot be found" in capfd.readouterr().err


def empty_bag(path: Path) -> Path:
    with Writer(path, version=8, storage_plugin=StoragePlugin.MCAP) as writer:
        writer.add_connection(CAMERA, "sensor_msgs/msg/Image", typestore=STORE)
    return path


def unknown_compression(path: Path) -> Path:
    drive(path, 2, "sqlite3, message zstd")
    text = (path / "metadata.yaml").read_text()
    (path / "metadata.yaml").write_text(text.replace("zstd", "lzma"))
    return path


def text_only(path: Path) -> Path:
    return write_mcap(path, [("/note", START, STORE.types["std_msgs/msg/String"](data="x"))])


BAD: dict[str, tuple[Callable[[Path], Path], list[str], str]] = {
    "missing": (lambda p: p / "none", [], "no such bag"),
    "empty": (lambda p: empty_bag(p / "b"), [], "the bag has no messages"),
    "no images": (lambda p: text_only(p / "b"), [], "the bag has no image topics; it has /note"),
    "cut short": (
        lambda p: cut_bag(p / "b", "mcap", half),
        [],
        "not a readable rosbag2",
    ),
    "unknown compression": (lambda p: unknown_compression(p / "b"), [], "'lzma' is not supported"),
    "type": (
        lambda p: write_drive(p / "b", 1),
        ["--topic", "/camera/condition"],
        "is of type std_msgs/msg/S",
    ),
    "copy": (lambda p: write_drive(p / "b", 1), ["--copy", "/imu"], "--copy /imu: not in"),
    "labels": (
        lambda p: write_drive(p / "b", 1),
        ["--labels-topic", "/truth"],
        "--labels-topic /truth is not in",
    ),
    "labels of a type": (
        lambda p: write_drive(p / "b", 1),
        ["--labels-topic", "/camera/condition"],
        "--labels-topic /camera/condition is of type std_msgs/msg/String: labels are images",
    ),
    "no names": (lambda p: write_drive(p / "b", 1), ["--acdc", "."], "has no /camera/frame_name"),
    "video": (lambda p: write_drive(p / "b", 1), ["--video", "x.avi"], "ends in .mp4 or .gif"),
    "compressed sqlite3": (
        lambda p: write_drive(p / "b", 1),
        ["--storage", "sqlite3", "--compress"],
        "--compress is for --storage mcap",
    ),
    "weather": (
        lambda p: write_drive(p / "b", 1),
        ["--condition-topic", "/camera/condtion"],
        "--condition-topic /camera/condtion: not in",
    ),
    "weather of a type": (
        lambda p: write_drive(p / "b", 1),
        ["--condition-topic", CAMERA],
        "is of type sensor_msgs/msg/Image, not std_msgs/msg/String",
    ),
    "model": (lambda p: write_drive(p / "b", 1), ["--model", "none.onnx"], "none.onnx: no such model file"),
}


@pytest.mark.parametrize("name", BAD)
def test_mistakes_end_in_one_line_before_anything_is_written(
    name: str, tmp_path: Path, model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    make, options, message = BAD[name]
    assert run(make(tmp_path), model, tmp_path / "out", *options) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert not (tmp_path / "out").exists()


def test_a_cut_sqlite3_bag_ends_in_one_line(
    tmp_path: Path, model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bag = cut_bag(tmp_path / "bag", "sqlite3", half)
    assert run(bag, model, tmp_path / "out") == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"error: {bag}: ")
    if (tmp_path / "out").exists():
        raw_messages(tmp_path / "out")
