"""Mistakes in what the demo is given, and its parts, in this process."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from demo_drive import (
    PERIOD,
    ROOT,
    START,
    STORE,
    frame,
    image_message,
    read_bag,
    write_drive,
    write_messages,
)
from tiny_model import write_tiny_model

from distill.drives.drive import survey

DEMO = ROOT / "scripts" / "demo"
HEIGHT, WIDTH = 48, 64

pytest.importorskip("rclpy")


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Import a module of the demo as its own process does."""
    monkeypatch.syspath_prepend(str(DEMO))
    return importlib.import_module


def camera_only(path: Path, stamps: list[int]) -> Path:
    entries = [("/front", START + i, image_message(frame(0)[0], stamp)) for i, stamp in enumerate(stamps)]
    return write_messages(path, entries)


def text_only(path: Path) -> Path:
    text = STORE.types["std_msgs/msg/String"]
    return write_messages(path, [("/note", START, text(data="no camera"))])


def two_cameras(path: Path) -> Path:
    image = image_message(frame(0)[0], START)
    return write_messages(path, [("/left", START, image), ("/right", START, image)])


def deep_images(path: Path) -> Path:
    image = image_message(frame(0)[1], START)
    image.encoding = "16UC1"
    return write_messages(path, [("/depth", START, image)])


def image_folder(path: Path, *names: str) -> Path:
    path.mkdir()
    for name in names:
        (path / name).write_bytes(b"not an image")
    return path


MISTAKES: dict[str, tuple[Callable[[Path], list[Any]], str]] = {
    "no such model": (
        lambda p: ["--model", p / "none.onnx", "--bag", write_drive(p / "b", 1)],
        "none.onnx: no",
    ),
    "no such bag": (lambda p: ["--bag", p / "none"], "none: no such bag"),
    "no bag": (
        lambda p: ["--bag", image_folder(p / "folder")],
        "folder: no bag: neither metadata.yaml nor",
    ),
    "no images in the bag": (lambda p: ["--bag", text_only(p / "b")], "the bag has no image topics"),
    "two cameras": (lambda p: ["--bag", two_cameras(p / "b")], "--topic: /left, /right"),
    "another topic": (
        lambda p: ["--bag", two_cameras(p / "b"), "--topic", "/up"],
        "--topic /up is not in {p}/b; its image topics are /left, /right",
    ),
    "other labels": (
        lambda p: ["--bag", write_drive(p / "b", 1), "--labels-topic", "/truth"],
        "--labels-topic /truth: not in {p}/b, which has",
    ),
    "no stamps": (lambda p: ["--bag", camera_only(p / "b", [0, 0])], "have the same header stamp"),
    "deep images": (
        lambda p: ["--bag", deep_images(p / "b")],
        "/depth: encoding '16UC1' has more than 8 bits",
    ),
    "no such folder": (lambda p: ["--images", p / "none"], "--images {p}/none: no such folder"),
    "empty folder": (
        lambda p: ["--images", image_folder(p / "f", "notes.txt")],
        "no .png, .jpg, .jpeg files",
    ),
    "damaged image": (
        lambda p: ["--images", image_folder(p / "f", "x.png")],
        "{p}/f/x.png: the compressed image (format 'png') is neither JPEG nor PNG",
    ),
    "no commands": (
        lambda p: ["--bag", write_drive(p / "b", 1), "--commands", p / "none"],
        "--commands {p}/none: cannot be read",
    ),
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("model") / "tiny.onnx", HEIGHT, WIDTH)


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_end_in_one_line(
    name: str, tmp_path: Path, model: Path, module: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments, message = MISTAKES[name]
    given = ["--quiet", "--model", model, "--out", tmp_path / "out", *arguments(tmp_path)]
    assert module("cli").main(list(map(str, given))) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert message.format(p=tmp_path) in line


def test_out_that_is_a_file_or_lies_in_one(
    tmp_path: Path, model: Path, module: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("kept")
    bag = write_drive(tmp_path / "bag", 1)
    for out in (tmp_path / "file", tmp_path / "file" / "out"):
        arguments = ["--model", model, "--bag", bag, "--out", out]
        assert module("cli").main(list(map(str, arguments))) == 2
        (line,) = capfd.readouterr().err.splitlines()
        assert line.startswith(f"error: --out {out}: cannot be written")
    assert (tmp_path / "file").read_text() == "kept"


def test_only_earlier_recordings_are_overwritten(
    tmp_path: Path, model: Path, module: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    def run(bag: Path) -> str:
        arguments = ["--model", model, "--bag", bag, "--out", tmp_path]
        assert module("cli").main(list(map(str, arguments))) == 2
        return capfd.readouterr().err

    source = write_drive(tmp_path / "recording", 1)
    assert "--bag" in run(source)
    assert "would be overwritten" in run(source / "recording.mcap")
    (source / "diary.txt").write_text("dear diary")
    assert "is in the way" in run(write_drive(tmp_path / "bag", 1))
    assert {file.name for file in source.iterdir()} == {"metadata.yaml", "recording.mcap", "diary.txt"}


def test_excerpt_keeps_the_first_frames_with_labels_and_conditions(tmp_path: Path, module: Any) -> None:
    drive = survey(write_drive(tmp_path / "bag", 6), num_classes=19)
    short = module("bags").excerpt(drive, 3, tmp_path / "short")
    assert list(short.frames.values()) == list(drive.frames.values())[:3]
    stamps = [START + number * PERIOD for number in range(3)]
    images, labels = dict(short.images(stamps)), dict(short.labels(stamps))
    assert list(images) == list(labels) == stamps
    for number, stamp in enumerate(stamps):
        np.testing.assert_array_equal(images[stamp], frame(number)[0])
        np.testing.assert_array_equal(labels[stamp], frame(number)[1])
    assert len(read_bag(tmp_path / "short")["/camera/image_raw"]) == 3


@pytest.mark.parametrize(
    ("milliseconds", "hertz", "rate"),
    [(20.0, 10.0, 1.0), (140.0, 10.0, 0.5), (1400.0, None, 0.5), (7.0, 100.0, 1.0)],
)
def test_the_network_gets_seven_tenths_of_the_time(
    milliseconds: float, hertz: float | None, rate: float, module: Any
) -> None:
    assert module("replay_rate").sustainable_rate(milliseconds, hertz) == pytest.approx(rate)


def test_without_an_encoder_the_video_is_a_gif(
    tmp_path: Path, module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)  # makes its import fail
    pictures = [np.full((40, 1280, 3), shade, np.uint8) for shade in (0, 90, 180)]
    path = module("video").write_video(iter(pictures), tmp_path, 10.0)
    with Image.open(path) as film:
        assert (film.format, film.n_frames, film.info["duration"]) == ("GIF", 3, 100)
        film.seek(1)
        assert film.convert("RGB").getpixel((10, 5)) == (90, 90, 90)
