"""The command prints YAML for the shipped student's classes."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from distill.__main__ import main
from kd_seg_ros.common.classes import CLASS_NAMES
from kd_seg_ros.common.topics import GROUND_POINTS


def test_the_shipped_student_needs_no_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nav2-layer", "--passable", "sidewalk", "terrain"]) == 0
    camera = yaml.safe_load(capsys.readouterr().out)["semantic_segmentation_layer"]["camera"]
    listed = [name for kind in camera["class_types"] for name in camera[kind]["classes"]]
    assert sorted(listed) == sorted(CLASS_NAMES)


def test_without_a_depth_camera_the_points_are_those_on_the_ground(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["nav2-layer", "--namespace", "/front", "--without-depth"]) == 0
    camera = yaml.safe_load(capsys.readouterr().out)["semantic_segmentation_layer"]["camera"]
    assert camera["pointcloud_topic"] == f"/front/{GROUND_POINTS.name}"
    assert camera["max_obstacle_distance"] == 10.0


def test_a_file_that_is_no_model_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nav2-layer", "--model", str(tmp_path / "none.onnx")]) == 2
    assert capsys.readouterr().err.strip().endswith("no such model file")
