"""Every frame of a bag through a model whose answer is known, against that answer."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from demo_drive import PERIOD, ROOT, START, frame, image_message, read_bag, stamp_of, write_drive
from demo_drive import write_messages as write_mcap
from segmented_bag import (
    CAMERA,
    CONFIDENCE,
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

from kd_seg_ros.common.classes import PALETTE
from kd_seg_ros.inference.colour_vision import class_marks
from kd_seg_ros.inference.risk import RiskThreshold


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    table = {"confidence": [0.25, 0.75], "accuracy": [0.5, 0.9], "share": [0.5, 0.5]}
    path = tmp_path_factory.mktemp("model") / "tiny.onnx"
    return write_tiny_model(path, HEIGHT, WIDTH, reliability={"full": table})


@pytest.fixture(autouse=True)
def _signals() -> Any:
    """The command sets its own handlers."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    yield
    for number, handler in zip((signal.SIGINT, signal.SIGTERM), before, strict=True):
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("kind", "storage"),
    [
        ("mcap", "mcap"),
        ("mcap", "sqlite3"),
        ("sqlite3, version 9", "mcap"),
        ("sqlite3, file zstd", "mcap"),
        ("sqlite3, message zstd", "mcap"),
        ("mcap, storage zstd", "mcap"),
        ("mcap, file zstd", "mcap"),
        ("mcap, compressed image", "mcap"),
    ],
)
def test_every_frame_is_answered_under_its_own_header(
    tmp_path: Path, model: Path, kind: str, storage: str
) -> None:
    bag = drive(tmp_path / "bag", 13, kind)
    assert run(bag, model, tmp_path / "out", "--storage", storage) == 0
    check_maps(tmp_path / "out", [frame(number)[0] for number in range(13)])
    found = raw_messages(tmp_path / "out")
    assert [topic for topic, *_ in found] == [MASK, CONFIDENCE] * 13
    assert [log_time for _, log_time, _ in found[::2]] == [START + n * PERIOD + 7 for n in range(13)]
    for number, mask in enumerate(read_bag(tmp_path / "out")[MASK]):
        assert (stamp_of(mask), mask.header.frame_id) == (START + number * PERIOD, f"camera {number}")
        assert (mask.encoding, mask.step) == ("mono8", WIDTH)


def test_runs_are_equal_to_the_byte(tmp_path: Path, model: Path) -> None:
    bag = write_drive(tmp_path / "bag", 25)
    contents = []
    for folder in ("a", "b"):
        assert run(bag, model, tmp_path / folder / "out", "--copy", "--overlay") == 0
        files = sorted((tmp_path / folder / "out").iterdir())
        contents.append({file.name: file.read_bytes() for file in files})
    assert contents[0] == contents[1]
    assert len(contents[0]) >= 3


def test_overlay_copies_and_order(tmp_path: Path, model: Path) -> None:
    bag = write_drive(tmp_path / "bag", 12)
    assert (
        run(
            bag,
            model,
            tmp_path / "out",
            "--copy",
            "--overlay",
            "--compress",
            "--no-marks",
            "--legend",
            "none",
        )
        == 0
    )
    given, found = raw_messages(bag), raw_messages(tmp_path / "out")
    made = (MASK, CONFIDENCE, "/segmentation/overlay")
    assert [entry for entry in found if entry[0] not in made] == given
    per_frame = ["/camera/condition", CAMERA, *made]
    assert [topic for topic, *_ in found if topic != "/camera/labels"] == per_frame * 12
    overlay = pixels(read_bag(tmp_path / "out")["/segmentation/overlay"][3])[..., ::-1].astype(int)
    image = frame(3)[0]
    mixed = (image.astype(int) + np.array(PALETTE)[expected(image)[0]]) / 2
    assert np.abs(overlay - mixed).max() <= 1


def test_the_overlay_hatches_what_colour_blind_readers_confuse_and_nothing_else(
    tmp_path: Path, model: Path
) -> None:
    bag = write_drive(tmp_path / "bag", 1)
    assert run(bag, model, tmp_path / "out", "--overlay", "--legend", "none") == 0
    overlay = pixels(read_bag(tmp_path / "out")["/segmentation/overlay"][0])[..., ::-1].astype(int)
    image, mask = frame(0)[0], expected(frame(0)[0])[0]
    off = np.abs(overlay - (image.astype(int) + np.array(PALETTE)[mask]) / 2).max(axis=2) > 1
    hatched = np.array([mark.pattern for mark in class_marks(PALETTE)], bool)[mask]
    assert off.any()
    assert not off[~hatched].any()
    assert off[hatched].mean() < 0.6


def test_drivable_pixels_and_thresholds_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    promise = RiskThreshold(("road", "sidewalk"), "false", 0.01, "full", 150, 0.005, 0.9, 99, "image")
    model = write_tiny_model(tmp_path / "risk.onnx", HEIGHT, WIDTH, risk=(promise,))
    bag = write_drive(tmp_path / "bag", 2)
    options = ("--drivable", "road,sidewalk", "--min-confidence", "road+sidewalk@0.01")
    assert run(bag, model, tmp_path / "out", *options) == 0
    found = read_bag(tmp_path / "out")
    mask, confidence = expected(frame(1)[0])
    unsure = (mask < 2) & (confidence < 150)
    np.testing.assert_array_equal(pixels(found[MASK][1]), np.where(unsure, 255, mask))
    wanted = np.select([unsure, mask < 2], [127, 255], 0)
    np.testing.assert_array_equal(pixels(found["/segmentation/drivable"][1]), wanted)
    for option, value, reason in (
        ("--drivable", "raod", "did you mean 'road'"),
        ("--min-confidence", "road@0.5", "it has thresholds for road+sidewalk=0.01"),
    ):
        assert run(bag, model, tmp_path / "other", option, value) == 2
        assert f"error: {option}: " in (line := capsys.readouterr().err)
        assert reason in line
        assert not (tmp_path / "other").exists()


def test_chosen_topics_are_copied_only(tmp_path: Path, model: Path) -> None:
    bag = write_drive(tmp_path / "bag", 3)
    assert run(bag, model, tmp_path / "out", "--copy", "/camera/condition") == 0
    assert {topic for topic, *_ in raw_messages(tmp_path / "out")} == {MASK, CONFIDENCE, "/camera/condition"}


def test_several_cameras(tmp_path: Path, model: Path) -> None:
    entries = [
        (f"/{side}/image", START + n, image_message(frame(n + 50 * (side == "rear"))[0], START + n))
        for n in range(4)
        for side in ("front", "rear")
    ]
    bag = write_mcap(tmp_path / "bag", entries)
    assert run(bag, model, tmp_path / "out", "--topic", "/rear/image", "--topic", "/front/image") == 0
    check_maps(tmp_path / "out", [frame(n)[0] for n in range(4)], "/front")
    check_maps(tmp_path / "out", [frame(n + 50)[0] for n in range(4)], "/rear")


def test_pixels_of_low_confidence_lose_their_class(tmp_path: Path, model: Path) -> None:
    bag = write_drive(tmp_path / "bag", 2)
    assert run(bag, model, tmp_path / "out", "--min-confidence", "0.6") == 0
    for number, mask in enumerate(read_bag(tmp_path / "out")[MASK]):
        classes, confidence = expected(frame(number)[0])
        np.testing.assert_array_equal(pixels(mask), np.where(confidence / 255 < 0.6, 255, classes))


def test_the_table_of_frames(tmp_path: Path, model: Path) -> None:
    bag = write_drive(tmp_path / "bag", 12)
    assert run(bag, model, tmp_path / "out", "--csv", tmp_path / "frames.csv") == 0
    with (tmp_path / "frames.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["stamp"] for row in rows] == [
        f"{START // 10**9 + n // 10}.{n % 10}00000000" for n in range(12)
    ]
    for number, row in enumerate(rows):
        mask, confidence = expected(frame(number)[0])
        assert (row["frame"], row["topic"], row["height"]) == (str(number + 1), CAMERA, str(HEIGHT))
        assert float(row["mean_confidence"]) == pytest.approx(confidence.mean() / 255, abs=1e-6)
        assert float(row["road"]) == pytest.approx((mask == 0).mean(), abs=1e-6)
        assert float(row["bicycle"]) == pytest.approx((mask == 18).mean(), abs=1e-6)
        sampled = confidence[::4, ::4].astype(int)  # two bins: up to a half, above
        accuracy = np.where(sampled * 2 // 255 >= 1, 0.9, 0.5).mean()
        assert float(row["expected_accuracy"]) == pytest.approx(accuracy, abs=1e-6)
        assert float(row["latency_ms"]) > 0
        assert float(row["unlabelled"]) == pytest.approx(0, abs=1e-6)


def test_as_a_command_of_kd_seg(tmp_path: Path, model: Path) -> None:
    bag = write_drive(tmp_path / "bag", 2)
    command = [
        sys.executable,
        "-m",
        "distill",
        "segment-bag",
        bag,
        "--model",
        model,
        "--out",
        tmp_path / "out",
    ]
    done = subprocess.run(
        [*map(str, command), "--provider", "cpu"], cwd=ROOT, env=os.environ, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"2 of 2 frames segmented: {tmp_path / 'out'}\n"
