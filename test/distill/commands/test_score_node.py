"""score_node with a node in its own process, over DDS: what it scores is what the engine does offline."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")

from dds import running_node
from demo_drive import (
    CONDITIONS,
    PERIOD,
    START,
    STORE,
    frame,
    image_message,
    read_bag,
    write_drive,
    write_messages,
)
from tiny_model import write_tiny_model

from distill.commands import score_node
from distill.commands.score_node import main
from kd_seg_ros.inference.engine import Engine

FRAMES = 12


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undo what the command changes of it."""
    for name in ("ROS_DOMAIN_ID", "ROS_AUTOMATIC_DISCOVERY_RANGE"):
        monkeypatch.setenv(name, os.environ[name])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("model") / "tiny.onnx", 48, 64)


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_drive(tmp_path_factory.mktemp("drive") / "bag", FRAMES)


def offline_confusion(model: Path, numbers: list[int]) -> list[list[int]]:
    """Label × prediction over some frames, pixel by pixel, by the engine in this process."""
    engine = Engine(model, "cpu")
    confusion = np.zeros((19, 20), np.int64)
    for number in numbers:
        image, labels = frame(number - 1)
        mask = engine.segment(image).mask
        counted = labels != 255
        np.add.at(confusion, (labels[counted], mask[counted]), 1)
    return confusion.tolist()


def run(bag: Path, out: Path, *options: object) -> dict[str, Any]:
    arguments = [bag, "--labels-topic", "/camera/labels", "--out", out, *options]
    assert main(list(map(str, arguments))) == 0
    document: dict[str, Any] = json.loads(out.read_text())
    return document


def test_in_lock_step_nothing_is_dropped_and_scores_are_those_offline(
    tmp_path: Path, model: Path, bag: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "recording"
    options = ["--lock-step", "--model", model, "--provider", "cpu", "--recording", kept]
    document = run(bag, tmp_path / "m.json", *options)
    assert document["scores"]["full"]["confusion"] == offline_confusion(model, list(range(1, FRAMES + 1)))
    for index, condition in enumerate(CONDITIONS):
        numbers = list(range(4 * index + 1, 4 * index + 5))
        assert document["scores"][condition]["confusion"] == offline_confusion(model, numbers)
    replay = document["replay"]
    assert replay["mode"] == "lock-step"
    assert replay["frames_recorded"] == replay["frames_published"] == replay["frames_sent"] == FRAMES
    assert set(replay["dropped"].values()) == {0}
    assert replay["dropped_frames"] == []
    assert 0 < replay["round_trip_ms"]["p50"] <= replay["round_trip_ms"]["max"]
    assert document["model"]["name"] == "tiny"
    masks = next(messages for topic, messages in read_bag(kept).items() if topic.endswith("/mask"))
    assert len(masks) == FRAMES
    assert "12 frames sent, 12 answered" in capsys.readouterr().out


def test_in_real_time_what_is_dropped_is_told_and_not_scored(
    tmp_path: Path, model: Path, bag: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--rate", 1000, "--model", model, "--provider", "cpu", "--json"]  # as fast as can be
    document = run(bag, tmp_path / "m.json", *options)
    assert json.loads(capsys.readouterr().out) == document
    replay = document["replay"]
    missing = {entry["number"] for entry in replay["dropped_frames"]}
    answered = [number for number in range(1, FRAMES + 1) if number not in missing]
    assert document["scores"]["full"]["confusion"] == offline_confusion(model, answered)
    assert document["scores"]["full"]["images"] == replay["frames_recorded"] == len(answered)
    assert sum(replay["dropped"].values()) == len(missing)
    assert replay["timing_error_ms"]["p50"] >= 0


def test_attached_to_a_running_node_with_a_frame_it_cannot_use(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entries: list[tuple[str, int, Any]] = []
    for number in range(3):
        image, labels = frame(number)
        message = image_message(image, START + number * PERIOD)
        if number == 1:
            message.encoding = "mono16"
        entries.append(("/camera/image_raw", START + number * PERIOD, message))
        entries.append(
            ("/camera/labels", START + number * PERIOD, image_message(labels, START + number * PERIOD))
        )
    bag = write_messages(tmp_path / "bag", entries)
    settings = ["-p", f"model:={model}", "-p", "provider:=cpu", "-p", "diagnostics.period_s:=0.2"]
    with running_node("car", *settings, "-p", "confidence_encoding:=32FC1", "-r", "image:=/elsewhere"):
        document = run(bag, tmp_path / "m.json", "--lock-step", "--attach", "/car")
        again = run(bag, tmp_path / "m.json", "--attach", "car", "--rate", 2)
        jpeg = STORE.types["sensor_msgs/msg/CompressedImage"](
            entries[0][2].header, "jpeg", np.zeros(9, np.uint8)
        )
        compressed = write_messages(tmp_path / "jpeg", [("/c/image", START, jpeg), entries[1]])
        given = [compressed, "--labels-topic", "/camera/labels", "--attach", "/car", "--topic", "/c/image"]
        capsys.readouterr()
        assert main(list(map(str, given))) == 2
        assert "start the node with compressed:=true" in capsys.readouterr().err
    assert document["scores"]["full"]["confusion"] == offline_confusion(model, [1, 3])
    (dropped,) = document["replay"]["dropped_frames"]
    assert (dropped["number"], dropped["reason"]) == (2, "rejected")
    # Both are counted from where each replay began. In real time a busy machine may lose a frame on the way.
    replay = document["replay"]
    assert (replay["frames_received"], replay["dropped"]["rejected"]) == (3, 1)
    replay = again["replay"]
    assert 1 <= replay["frames_received"] <= 3
    assert replay["frames_received"] + replay["dropped"]["not_received"] == 3
    assert replay["dropped"]["rejected"] <= 1


def complaint(capsys: pytest.CaptureFixture[str], bag: Path, *options: object, status: int) -> str:
    arguments = [bag, "--labels-topic", "/camera/labels", *options]
    assert main(list(map(str, arguments))) == status
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("error: ")
    return line


def test_the_demo_student_unless_told_otherwise(
    bag: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert score_node.default_model().name == "demo_student.onnx"
    monkeypatch.setattr(score_node, "default_model", lambda: Path("another.onnx"))
    assert "another.onnx: no such model file" in complaint(capsys, bag, status=2)


def test_mistakes(tmp_path: Path, model: Path, bag: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--model", model]
    assert "--rate has no meaning" in complaint(capsys, bag, *given, "--lock-step", "--rate", 2, status=2)
    assert "exists already" in complaint(capsys, bag, *given, "--recording", tmp_path, status=2)
    assert "no such model file" in complaint(capsys, bag, "--model", tmp_path / "no.onnx", status=2)
    (tmp_path / "file").touch()
    assert "--out" in complaint(capsys, bag, *given, "--out", tmp_path / "file" / "m.json", status=2)


def test_a_namespace_without_a_node(bag: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = complaint(capsys, bag, "--attach", "/nobody", "--timeout", 1, status=1)
    assert "no node in namespace /nobody has reported on /diagnostics within 1 s" in line


def test_a_node_that_refuses_to_start(
    tmp_path: Path,
    bag: Path,
    model: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from distill.drives import replay

    command = [
        "-m",
        "kd_seg_ros.node.segmentation_node",
        "--ros-args",
        "-p",
        "model:=/no/such.onnx",
        "-p",
        "provider:=cpu",
    ]
    monkeypatch.setattr(replay, "node_command", lambda *_: command)
    line = complaint(capsys, bag, "--model", model, status=2)
    assert "the node does not start: /no/such.onnx: no such model file" in line


def test_a_node_that_dies_is_reported_with_its_last_lines(
    bag: Path, model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from distill.drives import replay

    monkeypatch.setattr(replay, "node_command", lambda *_: ["-c", "print('hot'); raise SystemExit('fire')"])
    assert main([str(bag), "--labels-topic", "/camera/labels", "--model", str(model)]) == 1
    error = capsys.readouterr().err
    assert "the node has ended with exit code 1; its last lines:\nhot\nfire" in error
