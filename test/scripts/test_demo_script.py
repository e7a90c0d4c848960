"""demo.sh with a stand-in for Python, which notes what it is asked to run."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

from stand_in_python import checkout_in, stand_in

from distill.__main__ import COMMANDS


def demo(tmp_path: Path, *arguments: str) -> tuple[list[str], str]:
    """Run the script; return what Python was given, a line each, and the extras that were installed."""
    checkout = checkout_in(tmp_path)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("ROS_", "AMENT_"))}
    python = stand_in(tmp_path, "/usr 3.11.2")
    done = subprocess.run(
        ["bash", "scripts/demo.sh", *arguments],
        cwd=checkout,
        env=environment | {"KD_SEG_PYTHON": str(python), "KD_SEG_ONNXRUNTIME": "cpu"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"open {arguments[arguments.index('--out') + 1]}/report.html" in done.stderr
    extras = (checkout / ".venv/pip").read_text().rstrip().rpartition(" ")[2]
    return (checkout / ".venv/run").read_text().splitlines(), extras


def test_without_arguments_the_bundled_drive_is_replayed(tmp_path: Path) -> None:
    (line,), extras = demo(tmp_path, "--out", "results")
    assert line.startswith(
        "scripts/demo --model resource/demo_student.onnx --bag resource/demo_drive --out results"
    )
    assert extras == ".[demo,ros]"


def test_own_frames_need_no_training_either(tmp_path: Path) -> None:
    given = ("--video", "my drive.mp4", "--model", "own.onnx", "--out", "results", "--limit", "5")
    (line,), extras = demo(tmp_path, *given)
    assert line.startswith("scripts/demo --model own.onnx --video my drive.mp4 --out results")
    assert line.endswith(" --limit 5")
    commands = (tmp_path / "checkout/results/commands.txt").read_text()
    assert shlex.split(commands)[1:7] == [
        "scripts/demo",
        "--model",
        "own.onnx",
        "--video",
        "my drive.mp4",
        "--out",
    ]
    assert extras == ".[demo,ros]"


def test_the_whole_line_trains_and_replays_its_own_model(tmp_path: Path) -> None:
    lines, extras = demo(tmp_path, "--full", "--out", "results")
    commands = [line.split()[2] for line in lines[:-1]]
    expected = ["scenes", "scenes", "weights", "weights", "fit", "fit", "calibrate", "evaluate", "export"]
    assert commands == expected
    assert set(commands) <= set(COMMANDS)
    assert lines[-1].startswith("scripts/demo --model results/student.onnx --bag results/drive --next-to")
    assert extras == ".[demo,distill,pretrained,ros]"
