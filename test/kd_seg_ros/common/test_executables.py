"""Every program ends in one line, with a remedy, where a package is missing; nothing is imported before."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from drive_bag import write_bag

ROOT = Path(__file__).resolve().parents[3]

HIDE = """
import importlib, sys
target, *words = sys.argv[1:]
module, _, function = target.partition(":")
sys.modules[words.pop(0)] = None  # an import of it fails as if it were not installed
sys.argv[1:] = words
sys.exit(getattr(importlib.import_module(module), function)())
"""


def executables() -> dict[str, str]:
    """Return what setup.py installs: name → module:function."""
    tree = ast.parse((ROOT / "setup.py").read_text())
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    pairs = [text.split(" = ") for text in texts if isinstance(text, str) and " = " in text]
    return {name: target for name, target in pairs if ":" in target}


def run_without(package: str, target: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", HIDE, target, package, *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)


def test_all_are_known() -> None:
    assert set(executables()) == {
        *("kd_seg", "segmentation_node", "cameras_node", "points_node", "ground_node", "autoware_node"),
        *("play_bag", "segment_bag", "make_bag", "score_node"),
    }


@pytest.mark.parametrize(
    ("name", "package", "words"),
    [
        ("segmentation_node", "rclpy", []),
        ("segmentation_node", "cv2", []),
        ("points_node", "rclpy", []),
        ("play_bag", "rosbags", ["."]),
        ("play_bag", "rclpy", ["BAG"]),
        ("segment_bag", "rosbags", ["."]),
        ("make_bag", "cv2", ["."]),
        ("score_node", "rclpy", ["BAG", "--labels-topic", "/labels"]),
        ("kd_seg", "cv2", ["benchmark", "--suite", "node"]),
        ("kd_seg", "rclpy", ["node"]),
    ],
)
def test_a_missing_package_is_one_line(name: str, package: str, words: list[str], tmp_path: Path) -> None:
    if "BAG" in words:
        write_bag(tmp_path / "bag", frames=1)
        words = [word.replace("BAG", str(tmp_path / "bag")) for word in words]
    done = run_without(package, executables()[name], *words)
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert f"needs the Python package {package}" in line
    assert "install" in line


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
def test_a_node_told_to_end_while_it_is_loaded_ends_cleanly(number: str, tmp_path: Path) -> None:
    program = f"import signal\nsignal.raise_signal(signal.{number})\ndef main(): return 7\n"
    (tmp_path / "slow_program.py").write_text(program)
    code = (
        "import sys; from kd_seg_ros.common import executables as e\n"
        f"sys.path.append({str(tmp_path)!r}); e.MODULE = 'slow_program'; sys.exit(e.segmentation_node())"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_every_target_exists() -> None:
    for target in executables().values():
        module, _, function = target.partition(":")
        assert callable(getattr(importlib.import_module(module), function))


def test_with_nothing_hidden_the_node_starts() -> None:
    pytest.importorskip("rclpy")
    done = run_without("no_such_package", executables()["segmentation_node"], "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: segmentation_node ")
