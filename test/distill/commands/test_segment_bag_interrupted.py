"""Runs that are killed or told to stop, gone on with; and what may be written over."""

from __future__ import annotations

import csv
import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from demo_drive import ROOT, frame, read_bag, write_drive
from rosbags.rosbag2 import Reader
from segmented_bag import (
    CAMERA,
    HEIGHT,
    MASK,
    WIDTH,
    check_maps,
    raw_messages,
    run,
)
from tiny_model import write_tiny_model

from distill.commands.segment_bag import main
from kd_seg_ros.bags.resumable_bag import notes_of
from kd_seg_ros.inference.engine import Engine, EngineError


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("model") / "tiny.onnx", HEIGHT, WIDTH)


SLOW = """
import sys, time
from kd_seg_ros.inference.engine import Engine
fast = Engine.segment
def segment(self, *args, **options):
    time.sleep(0.02)
    return fast(self, *args, **options)
Engine.segment = segment
from distill.commands.segment_bag import main
sys.exit(main(sys.argv[1:]))
"""


def interrupt(arguments: list[str], out: Path, frames: int, number: signal.Signals) -> int:
    """Start the command, with a slow network, and send it a signal once so many frames are kept."""
    process = subprocess.Popen([sys.executable, "-c", SLOW, *arguments], cwd=ROOT)
    try:
        deadline = time.monotonic() + 600
        while (notes_of(out) or {"frames": 0})["frames"] < frames:
            assert process.poll() is None, "ended too early"
            assert time.monotonic() < deadline
            if (out / "metadata.yaml").exists():
                with Reader(out) as reader:  # readable at every moment
                    assert reader.message_count % 2 == 0
            time.sleep(0.02)
        process.send_signal(number)
        return process.wait(600)
    finally:
        process.kill()
        process.wait()


def without_latency(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        del row["latency_ms"]
    return rows


@pytest.mark.parametrize(
    ("storage", "signals"),
    [
        ("mcap", [signal.SIGKILL, signal.SIGKILL, signal.SIGINT]),
        ("sqlite3", [signal.SIGKILL, signal.SIGTERM]),
    ],
)
def test_an_interrupted_run_goes_on_to_the_same_end(
    tmp_path: Path, model: Path, storage: str, signals: list[signal.Signals]
) -> None:
    bag, total = write_drive(tmp_path / "bag", 150), 150
    options = ["--storage", storage, "--copy", "/camera/condition", CAMERA]
    for folder in ("whole", "broken"):
        (tmp_path / folder).mkdir()
    whole, broken = tmp_path / "whole" / "out", tmp_path / "broken" / "out"
    assert run(bag, model, whole, *options, "--csv", tmp_path / "whole.csv") == 0

    arguments = [bag, "--model", model, "--provider", "cpu", "--out", broken, *options]
    arguments += ["--csv", tmp_path / "broken.csv"]
    kept = 0
    for number in signals:
        status = interrupt(list(map(str, arguments)), broken, kept + 10, number)
        assert status == (-number if number == signal.SIGKILL else 128 + number)
        before, kept = kept, (notes_of(broken) or {})["frames"]
        assert before < kept < total
        assert raw_messages(broken) == raw_messages(whole)[: 4 * kept]  # nothing torn, nothing missing
    assert main(list(map(str, arguments))) == 0
    assert raw_messages(broken) == raw_messages(whole)
    check_maps(broken, [frame(n)[0] for n in range(total)])
    assert without_latency(tmp_path / "broken.csv") == without_latency(tmp_path / "whole.csv")
    with Reader(broken) as reader, Reader(whole) as other:
        assert {c.topic: c.msgcount for c in reader.connections} == {
            c.topic: c.msgcount for c in other.connections
        }


def test_a_signal_ends_the_run_with_every_frame_it_has_done(
    tmp_path: Path, model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bag, out = write_drive(tmp_path / "bag", 400), tmp_path / "out"
    arguments = [str(a) for a in (bag, "--model", model, "--provider", "cpu", "--out", out)]
    assert interrupt(arguments, out, 10, signal.SIGINT) == 130
    frames = (notes_of(out) or {})["frames"]
    assert f"interrupted after frame {frames}: the same command continues there" in capfd.readouterr().err
    assert len(read_bag(out)[MASK]) == frames
    assert main(arguments) == 0
    assert f"continuing after frame {frames} of 400" in capfd.readouterr().err
    check_maps(out, [frame(n)[0] for n in range(400)])


SLOW_VIDEO = """
import sys, time
from kd_seg_ros.bags import video
fast = video.picture
def picture(*args):
    print("drawing", flush=True)
    time.sleep(0.5)
    return fast(*args)
video.picture = picture
from distill.commands.segment_bag import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_making_of_a_video(tmp_path: Path, model: Path, number: signal.Signals) -> None:
    bag, out = write_drive(tmp_path / "bag", 100), tmp_path / "out"
    arguments = [bag, "--model", model, "--provider", "cpu", "--out", out, "--video", tmp_path / "film.gif"]
    command = [sys.executable, "-c", SLOW_VIDEO, *map(str, arguments)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert any(line == b"drawing\n" for line in process.stdout)
            process.send_signal(number)
            _, errors = process.communicate(timeout=600)
        finally:
            process.kill()
    assert process.returncode == 128 + number
    assert errors.decode().splitlines()[-1] == "interrupted: give the same command again to continue"
    assert b"Traceback" not in errors
    assert {file.name for file in tmp_path.iterdir()} == {"bag", "out"}
    assert len(read_bag(out)[MASK]) == 100


def test_overwriting_waits_for_its_turn(
    tmp_path: Path, model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bag, out = write_drive(tmp_path / "bag", 12), tmp_path / "out"
    assert run(bag, model, out) == 0
    before = raw_messages(out)
    lock = os.open(out, os.O_RDONLY)  # as a process that is writing holds it
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert run(bag, model, out, "--overlay", "--overwrite") == 2
    finally:
        os.close(lock)
    assert "is being written by another process" in capfd.readouterr().err
    assert raw_messages(out) == before


def test_a_finished_bag_is_left_alone(tmp_path: Path, model: Path, capfd: pytest.CaptureFixture[str]) -> None:
    bag, out = write_drive(tmp_path / "bag", 12), tmp_path / "out"
    assert run(bag, model, out) == 0
    before = {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in out.iterdir()}
    assert run(bag, model, out) == 0
    assert "is finished already: 12 frames" in capfd.readouterr().err
    assert before == {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in out.iterdir()}


def test_only_an_output_of_the_same_command_is_gone_on_with(
    tmp_path: Path, model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bag, out = write_drive(tmp_path / "bag", 3), tmp_path / "out"
    assert run(bag, model, out) == 0
    capfd.readouterr()
    other_bag = write_drive(tmp_path / "other", 4)
    other_model = write_tiny_model(tmp_path / "other.onnx", HEIGHT, WIDTH, name="other")
    for arguments, what in (
        ((bag, model, out, "--overlay"), "--overlay"),
        ((bag, model, out, "--copy", "--min-confidence", "0.5"), "--copy, --min-confidence"),
        ((other_bag, model, out), "the input"),
        ((bag, other_model, out), "the model"),
    ):
        assert run(*arguments) == 2
        (line,) = capfd.readouterr().err.splitlines()
        assert line == (
            f"error: --out {out} was made by another command, which differs in {what}: "
            "choose another or give --overwrite"
        )
    assert run(other_bag, model, out, "--overwrite") == 0
    assert len(read_bag(out)[MASK]) == 4


def test_nothing_else_is_ever_overwritten(
    tmp_path: Path, model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bag = write_drive(tmp_path / "bag", 3)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "diary.txt").write_text("kept")
    (tmp_path / "file").write_text("kept")
    other = write_drive(tmp_path / "other", 3)
    for out, message in (
        (tmp_path / "home", "is in the way and was not made by segment_bag"),
        (other, "is in the way and was not made by segment_bag"),
        (tmp_path / "file", "is a file"),
        (bag, "is the input"),
    ):
        for options in ((), ("--overwrite",)):
            assert run(bag, model, out, *options) == 2
            assert message in capfd.readouterr().err
    assert (tmp_path / "home" / "diary.txt").read_text() == "kept"
    assert len(raw_messages(other)) == 9
    # Files that are not the output's own stay.
    out = tmp_path / "out"
    assert run(bag, model, out) == 0
    (out / "diary.txt").write_text("kept")
    assert run(bag, model, out, "--overlay", "--overwrite") == 0
    assert (out / "diary.txt").read_text() == "kept"


def test_an_empty_folder_is_as_good_as_none(tmp_path: Path, model: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "metadata.yaml.tmp").write_text("of a process killed at once")
    assert run(write_drive(tmp_path / "bag", 2), model, tmp_path / "out") == 0
    assert len(read_bag(tmp_path / "out")[MASK]) == 2


def test_a_run_of_the_network_that_a_signal_has_ended_counts_as_interrupted(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def ended(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        raise EngineError("the run was ended")

    write_drive(tmp_path / "drive", 2)
    monkeypatch.setattr(Engine, "segment", ended)
    options = ["--topic", CAMERA, "--out", str(tmp_path / "out"), "--model", str(model), "--provider", "cpu"]
    assert main([str(tmp_path / "drive"), *options]) == 128 + signal.SIGTERM
    assert "interrupted while the network was running" in capsys.readouterr().err
