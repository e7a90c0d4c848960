"""Mistakes in what the demo is given, and its parts, in this process."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
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
from distill.scenes.drive import Drive
from kd_seg_ros.common.conditions import CONDITIONS

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
    "no such video": (lambda p: ["--video", p / "none.mp4"], "--video {p}/none.mp4: no such file"),
    "video is a folder": (lambda p: ["--video", image_folder(p / "f")], "{p}/f: a folder: give --images"),
    "no video": (
        lambda p: ["--video", image_folder(p / "f", "x.txt") / "x.txt"],
        "x.txt: neither a folder of images nor a video that OpenCV can read",
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


def test_a_video_becomes_a_drive_at_its_own_rate(tmp_path: Path, module: Any) -> None:
    shades = (20, 90, 160, 230)
    file = tmp_path / "film.avi"
    film = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (64, 48))
    for shade in shades:
        film.write(np.full((48, 64, 3), shade, np.uint8))
    film.release()
    module("bags").write_video_bag(file, tmp_path / "bag", 3)
    drive = survey(tmp_path / "bag")
    assert drive.compressed
    assert drive.hertz == pytest.approx(25.0)
    for (_, image), shade in zip(drive.images(drive.frames), shades[:3], strict=True):
        np.testing.assert_allclose(image, shade, atol=3)


def test_masks_of_an_earlier_drive_are_removed_and_nothing_else(tmp_path: Path, module: Any) -> None:
    folder = tmp_path / "masks"
    folder.mkdir()
    for name in ("000007.png", "mine.png", "000007.png.txt"):
        (folder / name).touch()
    module("masks").MaskFolder(folder)
    assert {file.name for file in folder.iterdir()} == {"mine.png", "000007.png.txt"}


def test_the_bundled_drive_is_what_the_command_next_to_it_makes() -> None:
    """The command is in demo.sh: seed, number of frames, size."""
    drive = survey(ROOT / "resource/demo_drive", num_classes=19)
    made = Drive(12, (288, 512), 24, CONDITIONS)
    assert list(drive.frames) == [made.stamp(number) for number in range(24)]
    assert [frame.condition for frame in drive.frames.values()] == [made.condition(n) for n in range(24)]
    assert all(frame.labelled for frame in drive.frames.values())
    stamp = made.stamp(3)
    rendered = made.render(3)
    ((_, labels),) = drive.labels([stamp])
    ((_, image),) = drive.images([stamp])
    assert (labels == rendered.labels).mean() > 0.999  # other releases of OpenCV draw some borders otherwise
    assert np.abs(image.astype(float) - rendered.rgb).mean() < 5  # JPEG


def test_the_script_refuses_what_does_not_go_together() -> None:
    mistakes = {
        "--full --bag drive": "--full makes its own drive: leave out --bag",
        "--full --model student.onnx": "--full trains its own model: leave out --model",
        "--bag drive --images frames": "--images: one of --images, --bag and --video only",
        "--video": "option --video needs a value",
        "--slow": "unknown option --slow",
    }
    for arguments, message in mistakes.items():
        command = ["bash", "scripts/demo.sh", *arguments.split()]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert done.stderr.splitlines()[-1] == f"error: {message}"


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
