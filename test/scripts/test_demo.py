"""The demo's replay: node and player in their own processes, a model and a drive with known answers."""

from __future__ import annotations

import base64
import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from rosbags.rosbag2 import Reader, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore
from sklearn.metrics import jaccard_score
from tiny_model import expected, write_tiny_model

from kd_seg_ros.classes import CLASS_NAMES, PALETTE
from kd_seg_ros.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "scripts" / "demo"
STORE = get_typestore(Stores.ROS2_HUMBLE)
START = 1_700_000_000_000_000_000
PERIOD = 100_000_000
HEIGHT, WIDTH = 48, 64
CONDITIONS = ("fog", "night", "snow")

pytest.importorskip("rclpy")


def run_demo(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does, who has set nothing of ROS."""
    unset = ("ROS_DOMAIN_ID", "ROS_AUTOMATIC_DISCOVERY_RANGE", "FASTDDS_DEFAULT_PROFILES_FILE")
    kept = {name: value for name, value in os.environ.items() if name not in unset}
    command = [sys.executable, "scripts/demo", *map(str, arguments)]
    return subprocess.run(
        command, cwd=ROOT, env=kept | environment, capture_output=True, text=True, timeout=120
    )


def frame(number: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """An image in which the tiny model sees blocks of classes, and labels that agree with it in part."""
    rng = np.random.default_rng(number)
    blocks = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    image = np.repeat(np.repeat(blocks, 8, axis=0), 8, axis=1)
    image[..., 1] = rng.integers(30, 255, image.shape[:2])
    labels = expected(image)[0]
    wrong, ignored = rng.random((2, *labels.shape)) < [[[0.3]], [[0.1]]]
    labels = np.where(wrong, rng.integers(0, 6, labels.shape), labels)
    return image, np.where(ignored, 255, labels).astype(np.uint8)


def image_message(pixels: NDArray[np.uint8], stamp: int, frame_id: str = "camera") -> Any:
    types = STORE.types
    seconds, nanoseconds = divmod(stamp, 10**9)
    time = types["builtin_interfaces/msg/Time"](sec=seconds, nanosec=nanoseconds)
    return types["sensor_msgs/msg/Image"](
        header=types["std_msgs/msg/Header"](stamp=time, frame_id=frame_id),
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding="rgb8" if pixels.ndim == 3 else "mono8",
        is_bigendian=0,
        step=pixels[0].size,
        data=pixels.ravel(),
    )


def write_messages(path: Path, entries: list[tuple[str, int, Any]]) -> Path:
    """Write (topic, log time, message) into a new bag."""
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        kinds = {topic: type(message).__msgtype__ for topic, _, message in entries}
        connections = {t: writer.add_connection(t, kind, typestore=STORE) for t, kind in kinds.items()}
        for topic, time, message in entries:
            writer.write(connections[topic], time, bytes(STORE.serialize_cdr(message, kinds[topic])))
    return path


def write_drive(path: Path, frames: int = 12) -> Path:
    text = STORE.types["std_msgs/msg/String"]
    entries: list[tuple[str, int, Any]] = []
    for number in range(frames):
        stamp = START + number * PERIOD
        image, labels = frame(number)
        condition = CONDITIONS[number * len(CONDITIONS) // frames]
        entries.append(("/camera/condition", stamp, text(data=condition)))
        entries.append(("/camera/image_raw", stamp, image_message(image, stamp)))
        entries.append(("/camera/labels", stamp, image_message(labels, stamp)))
    return write_messages(path, entries)


def read_bag(path: Path) -> dict[str, list[Any]]:
    messages: dict[str, list[Any]] = {}
    with Reader(path) as reader:
        for connection, _, raw in reader.messages():
            message = STORE.deserialize_cdr(raw, connection.msgtype)
            messages.setdefault(connection.topic, []).append(message)
    return messages


def stamp_of(message: Any) -> int:
    return int(message.header.stamp.sec) * 10**9 + int(message.header.stamp.nanosec)


class Sources(HTMLParser):
    """Collects what a page refers to, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.sources: list[tuple[str, str]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        for name in ("src", "href", "srcset", "data", "poster"):
            if values.get(name) is not None:
                self.sources.append((values.get("alt") or tag, values[name] or ""))

    def handle_data(self, data: str) -> None:
        self.text += data


def picture(source: str) -> NDArray[np.uint8]:
    """Decode a data: address of an image to RGB."""
    content = np.frombuffer(base64.b64decode(source.partition(",")[2]), np.uint8)
    decoded = cv2.imdecode(content, cv2.IMREAD_COLOR)
    assert decoded is not None
    return np.asarray(decoded[..., ::-1], np.uint8)


# A labelled drive


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a labelled drive."""
    folder = tmp_path_factory.mktemp("drive")
    bag = write_drive(folder / "bag")
    model = write_tiny_model(
        folder / "tiny.onnx", HEIGHT, WIDTH, limitations="Knows <b>nothing</b>.", ece_before={"full": 0.25}
    )
    done = run_demo("--model", model, "--bag", bag, "--out", folder / "out")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"report: {folder / 'out' / 'report.html'}" in done.stdout
    return folder / "out"


@pytest.fixture(scope="module")
def recorded(out: Path) -> dict[str, list[Any]]:
    """The messages of its recording, by topic."""
    return read_bag(out / "recording")


def test_recording_holds_the_models_answer_to_each_frame(recorded: dict[str, list[Any]]) -> None:
    masks, confidences = recorded["/segmentation/mask"], recorded["/segmentation/confidence"]
    assert len(masks) >= 6  # a busy machine may drop frames, but not most of them
    assert [stamp_of(m) for m in masks] == [stamp_of(c) for c in confidences]
    for mask, confidence in zip(masks, confidences, strict=True):
        image, _ = frame((stamp_of(mask) - START) // PERIOD)
        for message, truth in zip((mask, confidence), expected(image), strict=True):
            assert (message.encoding, message.header.frame_id) == ("mono8", "camera")
            np.testing.assert_array_equal(message.data.reshape(HEIGHT, WIDTH), truth)
    assert recorded["/diagnostics"]


def test_metrics_are_those_of_an_independent_computation(out: Path, recorded: dict[str, list[Any]]) -> None:
    metrics = json.loads((out / "metrics.json").read_text())
    numbers = [(stamp_of(m) - START) // PERIOD for m in recorded["/segmentation/mask"]]
    for index, condition in enumerate(("full", *CONDITIONS)):
        frames = [frame(n) for n in numbers if condition == "full" or n * 3 // 12 == index - 1]
        labels = np.stack([labels for _, labels in frames])
        valid = labels != 255
        labels = labels[valid]
        masks, confidence = (
            np.stack(maps)[valid] for maps in zip(*(expected(image) for image, _ in frames), strict=True)
        )
        scores = metrics["scores"][condition]
        assert scores["images"] == metrics["observed"][condition]["frames"] == len(frames)
        present = np.union1d(labels, masks)
        iou = jaccard_score(labels, masks, labels=present, average=None)
        assert scores["miou"] == pytest.approx(iou.mean(), abs=1e-9)
        assert scores["iou"] == pytest.approx(
            {n: iou[list(present).index(i)] if i in present else None for i, n in enumerate(CLASS_NAMES)}
        )
        bins = confidence.astype(int) * 15 // 255
        gaps = [
            abs(np.sum((masks == labels)[bins == b]) - np.sum(confidence[bins == b] / 255)) for b in range(15)
        ]
        assert scores["ece"] == pytest.approx(sum(gaps) / labels.size, abs=1e-6)


def test_metrics_account_for_every_frame(out: Path, recorded: dict[str, list[Any]]) -> None:
    replay = json.loads((out / "metrics.json").read_text())["replay"]
    assert replay["frames_sent"] == 12
    assert replay["frames_recorded"] == replay["frames_published"] == len(recorded["/segmentation/mask"])
    assert replay["frames_received"] == replay["frames_published"] + replay["frames_overwritten"]
    assert replay["frames_rejected"] == replay["frames_failed"] == 0
    assert replay["provider"] == "CPUExecutionProvider"
    assert 0 < replay["latency"]["inference_ms"]["p50"] <= replay["latency"]["latency_ms"]["p99"]


def test_report_holds_all_it_shows(out: Path, recorded: dict[str, list[Any]]) -> None:
    html = (out / "report.html").read_text()
    page = Sources(html)
    assert page.sources
    assert all(source.startswith("data:") for _, source in page.sources)
    assert not re.search(r"@import|url\(|<script|<link", html)
    assert "Knows <b>nothing</b>." in page.text  # as text, not as markup
    miou = json.loads((out / "metrics.json").read_text())["scores"]["full"]["miou"]
    for text in (*CLASS_NAMES, *CONDITIONS, f"{100 * miou:.1f} %", "25.0 before", "5.0 after"):
        assert text in page.text, text

    masks = {alt: source for alt, source in page.sources if alt.startswith("mask of frame")}
    assert len(masks) == 6  # two of each condition
    for alt, source in masks.items():
        mask, _ = expected(frame(int(alt.split()[-1]) - 1)[0])
        np.testing.assert_array_equal(picture(source), np.array(PALETTE, np.uint8)[mask])


def test_video_plays_in_browsers_and_shows_every_answer(out: Path, recorded: dict[str, list[Any]]) -> None:
    import imageio_ffmpeg

    path = str(out / "drive.mp4")
    meta = next(imageio_ffmpeg.read_frames(path))
    assert meta["codec"] == "h264"
    assert meta["pix_fmt"].startswith("yuv420p")
    assert imageio_ffmpeg.count_frames_and_secs(path)[0] == len(recorded["/segmentation/mask"])


def test_a_folder_of_images_on_a_machine_without_torch(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    sizes = {"b.png": (48, 64), "a.PNG": (60, 50), "c.png": (24, 32)}
    pictures = {name: np.full((*size, 3), 28 * i, np.uint8) for i, (name, size) in enumerate(sizes.items())}
    for name, rgb in pictures.items():
        cv2.imwrite(str(tmp_path / "images" / name), rgb[..., ::-1])
    (tmp_path / "images" / "notes.txt").write_text("not an image")
    (tmp_path / "blocked").mkdir()
    for name in ("torch", "timm", "lightning", "pydantic", "onnx"):
        (tmp_path / "blocked" / f"{name}.py").write_text("raise ImportError('not installed here')")

    model = write_tiny_model(tmp_path / "tiny.onnx", HEIGHT, WIDTH)
    out = tmp_path / "out"
    done = run_demo(
        *("--model", model, "--images", tmp_path / "images", "--out", out, "--rate", "0.3"),
        PYTHONPATH=str(tmp_path / "blocked"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    masks = read_bag(out / "recording")["/segmentation/mask"]
    assert [(m.height, m.width) for m in masks] == [sizes[name] for name in ("a.PNG", "b.png", "c.png")]
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["scores"]["full"]["miou"] is None
    pixels = np.array([48 * 64, 60 * 50, 24 * 32])  # of class 0, 2 and 4
    shares = metrics["observed"]["full"]["class_shares"]
    assert [shares[CLASS_NAMES[i]] for i in (0, 2, 4)] == pytest.approx(pixels / pixels.sum())
    assert "labels of frame" not in (out / "report.html").read_text()


# Mistakes and the parts, in this process


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
    "no bag": (lambda p: ["--bag", image_folder(p / "folder")], "folder: not a readable rosbag2"),
    "no images in the bag": (lambda p: ["--bag", text_only(p / "b")], "the bag has no image topics"),
    "two cameras": (lambda p: ["--bag", two_cameras(p / "b")], "--topic: /left, /right"),
    "another topic": (
        lambda p: ["--bag", two_cameras(p / "b"), "--topic", "/up"],
        "--topic /up: {p}/b has no such images; it has /left, /right",
    ),
    "other labels": (
        lambda p: ["--bag", write_drive(p / "b", 1), "--labels-topic", "/truth"],
        "--labels-topic /truth: {p}/b has no such images",
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
        "{p}/f/x.png: not a readable image",
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
    given = ["--model", model, "--out", tmp_path / "out", *arguments(tmp_path)]
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


def test_survey_finds_condition_labels_and_order(tmp_path: Path, module: Any) -> None:
    drive = module("drive").survey(write_drive(tmp_path / "bag", 6))
    assert drive.topic == "/camera/image_raw"
    assert drive.labels_topic == "/camera/labels"
    assert list(drive.frames) == [START + n * PERIOD for n in range(6)]
    infos = list(drive.frames.values())
    assert [info.condition for info in infos] == ["fog", "fog", "night", "night", "snow", "snow"]
    assert [info.number for info in infos] == [1, 2, 3, 4, 5, 6]
    assert all(info.labelled for info in infos)
    assert drive.hertz == pytest.approx(10.0)


def test_excerpt_keeps_the_first_frames_with_labels_and_conditions(tmp_path: Path, module: Any) -> None:
    drive_module = module("drive")
    drive = drive_module.survey(write_drive(tmp_path / "bag", 6))
    short = drive_module.excerpt(drive, 3, tmp_path / "short")
    assert list(short.frames.values()) == list(drive.frames.values())[:3]
    for number, (stamp, image, labels) in enumerate(short.images(set(short.frames))):
        assert stamp == START + number * PERIOD
        np.testing.assert_array_equal(image, frame(number)[0])
        np.testing.assert_array_equal(labels.data, frame(number)[1].ravel())
    assert len(read_bag(tmp_path / "short")["/camera/image_raw"]) == 3


@pytest.mark.parametrize(
    ("stamps", "frame_id", "message"),
    [
        ([START + 1], "camera", "no frame of the drive has this stamp"),
        ([START, START], "camera", "published twice"),
        ([START], "lidar", "frame_id 'lidar', not 'camera'"),
    ],
)
def test_answers_with_wrong_headers_are_refused(
    stamps: list[int], frame_id: str, message: str, tmp_path: Path, module: Any
) -> None:
    drive = module("drive").survey(write_drive(tmp_path / "bag", 2))
    mask = frame(0)[1]
    entries = [("/segmentation/mask", START, image_message(mask, stamp, frame_id)) for stamp in stamps]
    recording = write_messages(tmp_path / "recording", entries)
    with pytest.raises(module("processes").ReplayError, match=message):
        module("recording").answered_stamps(recording, drive)


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


def test_a_process_that_dies_is_reported_with_its_last_lines(tmp_path: Path, module: Any) -> None:
    processes = module("processes")
    command = [sys.executable, "-c", "import sys; print('all well'); sys.exit('out of paint')"]
    with processes.Process("painter", command, tmp_path / "log") as process:
        with pytest.raises(processes.ReplayError, match=r"painter .* exit code 1(?s:.*)out of paint"):
            process.must_succeed()
        with pytest.raises(processes.ReplayError, match="all well"):
            process.must_run()


def test_processes_do_not_outlive_their_context(tmp_path: Path, module: Any) -> None:
    processes = module("processes")
    with processes.Process("sleeper", ["sleep", "600"], tmp_path / "log") as process:
        process.must_run()
    assert not process.running


def test_replay_is_isolated_unless_the_user_says_otherwise(module: Any) -> None:
    replay_environment = module("processes").replay_environment
    added = replay_environment({})
    assert 1 <= int(added["ROS_DOMAIN_ID"]) <= 101
    assert added["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"
    assert added["FASTDDS_DEFAULT_PROFILES_FILE"].endswith("fastdds_large_images.xml")
    assert replay_environment({"ROS_DISTRO": "humble"})["ROS_LOCALHOST_ONLY"] == "1"
    given = {"ROS_DOMAIN_ID": "7", "ROS_LOCALHOST_ONLY": "0", "FASTRTPS_DEFAULT_PROFILES_FILE": "mine.xml"}
    assert all(name.startswith("MALLOC_") for name in replay_environment(given))


def test_labels_that_do_not_fit_are_a_mistake(tmp_path: Path, module: Any) -> None:
    image, labels = frame(0)
    maps = [(f"/segmentation/{name}", START, image_message(labels, START)) for name in ("mask", "confidence")]
    recording = write_messages(tmp_path / "recording", maps)
    for number, (wrong, message) in enumerate(
        [(labels[:-1], "labels of .47, 64. for an image of .48, 64."), (image, "encoding 'rgb8'")]
    ):
        entries = [("/camera", START, image_message(image, START))]
        entries.append(("/camera/labels", START, image_message(wrong, START)))
        drive = module("drive").survey(write_messages(tmp_path / f"bag{number}", entries))
        with pytest.raises(UserError, match=message):
            list(module("recording").answers(recording, drive, {START}))
