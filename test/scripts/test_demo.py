"""The demo's replay: node and player in their own processes, a model and a drive with known answers."""

from __future__ import annotations

import base64
import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from demo_drive import (
    CONDITIONS,
    PERIOD,
    ROOT,
    START,
    frame,
    read_bag,
    run_demo,
    stamp_of,
    write_drive,
)
from known_scores import known_scores
from numpy.typing import NDArray
from tiny_model import expected, write_tiny_model

from kd_seg_ros.common.classes import CLASS_NAMES, PALETTE
from kd_seg_ros.common.files import sha256
from kd_seg_ros.inference.colour_vision import class_marks
from kd_seg_ros.inference.overlay import colorize

HEIGHT, WIDTH = 48, 64

pytest.importorskip("rclpy")


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
    # Slowly, so that a busy machine drops no frame.
    other = write_tiny_model(folder / "other.onnx", HEIGHT, WIDTH)
    options = ["--rate", "0.3", "--next-to", other]
    done = run_demo("--model", model, "--bag", bag, "--out", folder / "out", *options)
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
        known = known_scores(frames)
        scores = metrics["scores"][condition]
        assert scores["images"] == metrics["observed"][condition]["frames"] == len(frames)
        assert scores["miou"] == pytest.approx(known.miou, abs=1e-9)
        by_name = {name: known.iou.get(train_id) for train_id, name in enumerate(CLASS_NAMES)}
        assert scores["iou"] == pytest.approx(by_name)
        assert scores["ece"] == pytest.approx(known.ece, abs=1e-6)


def test_masks_are_files_too(out: Path, recorded: dict[str, list[Any]]) -> None:
    files = sorted((out / "masks").iterdir())
    masks = recorded["/segmentation/mask"]
    assert [int(file.stem) for file in files] == [(stamp_of(m) - START) // PERIOD + 1 for m in masks]
    for file, message in zip(files, masks, strict=True):
        stored = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(stored, message.data.reshape(HEIGHT, WIDTH))


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
    assert not re.search(r"@import|url\((?!data:)|<script|<link", html)
    assert "Knows <b>nothing</b>." in page.text  # as text, not as markup
    miou = json.loads((out / "metrics.json").read_text())["scores"]["full"]["miou"]
    for text in (*CLASS_NAMES, *CONDITIONS, f"{100 * miou:.1f} %"):
        assert text in page.text, text
    assert "25.00 % before and 5.00 % after calibration" in " ".join(page.text.split())

    masks = {alt: source for alt, source in page.sources if alt.startswith("mask of frame")}
    assert len(masks) == 6  # two of each condition
    marks = class_marks(PALETTE)
    hatched = np.array([bool(mark.pattern) for mark in marks])
    for alt, source in masks.items():
        mask, _ = expected(frame(int(alt.split()[-1]) - 1)[0])
        shown, plain = picture(source), np.array(PALETTE, np.uint8)[mask]
        np.testing.assert_array_equal(shown[~hatched[mask]], plain[~hatched[mask]])
        np.testing.assert_array_equal(shown, colorize(mask, PALETTE, marks))


def test_a_second_model_is_shown_next_to_the_first(out: Path) -> None:
    """It has the first one's answers, but not its card."""
    metrics = json.loads((out / "metrics.json").read_text())
    other = metrics["next_to"]
    assert other["model"]["file"] == "other.onnx"
    assert other["model"]["sha256"] == sha256(out.parent / "other.onnx")
    for condition in ("full", *CONDITIONS):
        for score in ("images", "pixels", "miou", "iou", "ece"):
            assert other["scores"][condition][score] == metrics["scores"][condition][score]
    page = Sources((out / "report.html").read_text())
    assert "Next to other.onnx" in page.text
    pictures = dict(page.sources)
    seconds = [alt for alt in pictures if alt.startswith("mask by other.onnx of frame")]
    assert len(seconds) == 6
    for alt in seconds:
        assert pictures[alt] == pictures[alt.replace("mask by other.onnx of", "mask of")]


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
    absent = ("torch", "timm", "lightning", "pydantic", "onnx", "scipy", "matplotlib", "rich", "tqdm")
    for name in absent:
        (tmp_path / "blocked" / f"{name}.py").write_text("raise ImportError('not installed here')")

    model = write_tiny_model(tmp_path / "tiny.onnx", HEIGHT, WIDTH)
    out = tmp_path / "out"
    done = run_demo(
        *("--model", model, "--images", tmp_path / "images", "--out", out, "--rate", "0.3"),
        PYTHONPATH=f"{tmp_path / 'blocked'}{os.pathsep}{ROOT}",
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
