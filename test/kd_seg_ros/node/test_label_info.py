"""label_info over DDS, with vision_msgs generated where it is not installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("rclpy")

from dds import ROOT, running_node
from patient_process import LONG
from tiny_model import write_tiny_model
from vision_msgs_build import vision_msgs_environment

# As published by the Cityscapes data set.
NAMES = [
    "road",
    "sidewalk",
    "building",
    "wall",
    "fence",
    "pole",
    "traffic light",
    "traffic sign",
    "vegetation",
    "terrain",
    "sky",
    "person",
    "rider",
    "car",
    "truck",
    "bus",
    "train",
    "motorcycle",
    "bicycle",
]


@pytest.fixture(scope="session")
def vision_msgs() -> dict[str, str]:
    try:
        return vision_msgs_environment()
    except RuntimeError as error:
        pytest.skip(f"vision_msgs is not installed and cannot be built here: {error}")


def settings(tmp_path: Path) -> list[str]:
    return ["-p", f"model:={write_tiny_model(tmp_path / 'tiny.onnx', 8, 8)}", "-p", "provider:=cpu"]


def test_a_late_subscriber_gets_the_class_names(vision_msgs: dict[str, str], tmp_path: Path) -> None:
    with running_node("labelled", *settings(tmp_path), environment=vision_msgs):
        subscriber = subprocess.run(
            [sys.executable, ROOT / "test/support/print_label_info.py", "/labelled/segmentation/label_info"],
            env=os.environ | vision_msgs,
            capture_output=True,
            text=True,
            timeout=LONG,
        )
    assert subscriber.returncode == 0, subscriber.stderr
    (line,) = subscriber.stdout.splitlines()
    answer = json.loads(line)
    assert answer["classes"] == {str(number): name for number, name in enumerate(NAMES)}
    assert answer["threshold"] == 0.0


def test_the_threshold_is_announced(vision_msgs: dict[str, str], tmp_path: Path) -> None:
    options = [*settings(tmp_path), "-p", "min_confidence:=0.25"]
    with running_node("thresholded", *options, environment=vision_msgs):
        subscriber = subprocess.run(
            [
                sys.executable,
                ROOT / "test/support/print_label_info.py",
                "/thresholded/segmentation/label_info",
            ],
            env=os.environ | vision_msgs,
            capture_output=True,
            text=True,
            timeout=LONG,
        )
    assert subscriber.returncode == 0, subscriber.stderr
    assert json.loads(subscriber.stdout)["threshold"] == 0.25


def test_without_vision_msgs_the_node_says_so_and_runs(tmp_path: Path) -> None:
    nowhere = tmp_path / "hidden" / "vision_msgs"
    nowhere.mkdir(parents=True)
    (nowhere / "__init__.py").write_text("raise ImportError('not here')\n")
    path = os.pathsep.join(filter(None, [str(nowhere.parent), os.environ.get("PYTHONPATH")]))
    with running_node("unlabelled", *settings(tmp_path), environment={"PYTHONPATH": path}) as node:
        assert any("vision_msgs is not installed" in line for line in node.lines)
