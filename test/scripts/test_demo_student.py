"""The script that trains the shipped student, with a stand-in for the command."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts/demo_student.sh"
LONGER = "fit --config demo_long_student --resume --training.epochs 20"
STAND_IN = """#!/bin/bash
echo "$*" >>"$CALLS"
case "$*" in
  *"$FAILS"*) [ -n "$FAILS" ] && exit 3 ;;
esac
while [ $# -gt 0 ]; do
  case $1 in
    --config) mkdir -p "demo_out/runs/$2"; touch "demo_out/runs/$2/last.ckpt" ;;
    --out) mkdir -p "$(dirname "$2")"; touch "$2" ;;
  esac
  shift
done
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout that holds the script, and the stand-in for kd_seg."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(SCRIPT, tmp_path / "scripts")
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin/kd_seg"
    command.write_text(STAND_IN)
    command.chmod(0o755)
    return tmp_path


def run(checkout: Path, *arguments: str, fails: str = "") -> tuple[int, list[str]]:
    """Run the script; return its exit status and the commands that it gave."""
    calls = checkout / "calls"
    calls.write_text("")
    path = f"{checkout / 'bin'}:{os.environ['PATH']}"
    script = ["bash", str(checkout / "scripts/demo_student.sh"), *arguments]
    environment = os.environ | {"PATH": path, "CALLS": str(calls), "FAILS": fails}
    done = subprocess.run(script, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, calls.read_text().splitlines()


def trainings(commands: list[str]) -> list[str]:
    return [line for line in commands if line.startswith("fit")]


def test_trains_calibrates_exports_and_judges(checkout: Path) -> None:
    status, commands = run(checkout)
    assert status == 0
    names = [line.split()[0] for line in commands]
    expected = "scenes weights weights fit fit fit calibrate export scenes calibrate scenes evaluate"
    assert names == expected.split()
    assert trainings(commands) == [
        "fit --config demo_long_teacher",
        "fit --config demo_long_student",
        LONGER,
    ]


def test_what_is_trained_is_not_trained_again(checkout: Path) -> None:
    run(checkout)
    status, commands = run(checkout)
    assert status == 0
    assert not trainings(commands)
    assert not [line for line in commands if line.startswith("weights")]


def test_an_interrupted_training_is_resumed(checkout: Path) -> None:
    status, _ = run(checkout, fails="demo_long_student")
    assert status == 3
    (checkout / "demo_out/runs/demo_long_student").mkdir(parents=True)
    (checkout / "demo_out/runs/demo_long_student/last.ckpt").touch()
    _, commands = run(checkout)
    assert trainings(commands) == ["fit --config demo_long_student --resume", LONGER]


def test_what_is_half_trained_is_trained_for_the_other_half(checkout: Path) -> None:
    status, _ = run(checkout, fails="--training.epochs 20")
    assert status == 3
    _, commands = run(checkout)
    assert trainings(commands) == [LONGER]


def test_it_takes_no_arguments(checkout: Path) -> None:
    status, commands = run(checkout, "--full")
    assert (status, commands) == (2, [])
