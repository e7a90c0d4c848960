"""environment.sh with a stand-in for Python, which makes folders instead of environments."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

STAND_IN = """#!/usr/bin/env bash
# What environment.sh asks of a Python. IDENTITY is replaced by what this one calls itself.
case "$*" in
  *base_prefix*) echo "IDENTITY" ;;
  "-c "*) exit 0 ;;
  --version) echo "Python 3.11.0" ;;
  "-m venv"*)
    folder="${@: -1}"
    mkdir -p "$folder/bin"
    cp "$0" "$folder/bin/python"
    touch "$folder/pyvenv.cfg" ;;
  "-m pip"*) echo "$*" >>"$(dirname "$0")/../pip" ;;
  *) exit 1 ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    (folder / "scripts").mkdir(parents=True)
    (folder / "setup.py").write_text("")
    (folder / "scripts/environment.sh").write_text((ROOT / "scripts/environment.sh").read_text())
    return folder


def stand_in(folder: Path, identity: str) -> Path:
    path = folder / f"python_{identity.replace('/', '').replace(' ', '_')}"
    path.write_text(STAND_IN.replace("IDENTITY", identity))
    path.chmod(0o755)
    return path


def use_environment(checkout: Path, python: Path) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("ROS_", "AMENT_"))}
    return subprocess.run(
        ["bash", "-c", "source scripts/environment.sh && use_environment test && echo $PYTHON"],
        cwd=checkout,
        env=environment | {"KD_SEG_PYTHON": str(python)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_is_made_once_and_reused(checkout: Path, tmp_path: Path) -> None:
    python = stand_in(tmp_path, "/usr 3.11.2")
    first = use_environment(checkout, python)
    assert first.returncode == 0, first.stderr
    assert first.stdout.strip() == str(checkout / ".venv/bin/python")
    (checkout / ".venv/mark").touch()
    second = use_environment(checkout, python)
    assert "using the environment" in second.stderr
    assert (checkout / ".venv/mark").exists()


def test_that_of_another_python_is_replaced(checkout: Path, tmp_path: Path) -> None:
    assert use_environment(checkout, stand_in(tmp_path, "/usr 3.11.2")).returncode == 0
    (checkout / ".venv/mark").touch()
    other = use_environment(checkout, stand_in(tmp_path, "/opt/python 3.11.7"))
    assert other.returncode == 0, other.stderr
    assert "belongs to another Python (/usr 3.11.2)" in other.stderr
    assert not (checkout / ".venv/mark").exists()
    assert (checkout / ".venv/pip").read_text().count("install") == 2


def test_one_whose_python_does_not_start_is_replaced(checkout: Path, tmp_path: Path) -> None:
    python = stand_in(tmp_path, "/usr 3.11.2")
    assert use_environment(checkout, python).returncode == 0
    (checkout / ".venv/bin/python").unlink()
    again = use_environment(checkout, python)
    assert again.returncode == 0, again.stderr
    assert "its Python no longer works" in again.stderr


def test_a_folder_that_is_no_environment_is_left_alone(checkout: Path, tmp_path: Path) -> None:
    (checkout / ".venv").mkdir()
    (checkout / ".venv/thesis.txt").touch()
    refused = use_environment(checkout, stand_in(tmp_path, "/usr 3.11.2"))
    assert refused.returncode == 2
    assert ".venv is not a Python environment" in refused.stderr
    assert (checkout / ".venv/thesis.txt").exists()
