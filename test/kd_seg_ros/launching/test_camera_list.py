"""The list of cameras: what it means, and one clear line for every mistake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.launching.camera_list import CameraEntry, absolute_overrides, read_cameras

EXAMPLE = Path(__file__).resolve().parents[3] / "config" / "cameras.yaml"
FRONT = {"name": "front", "image": "image_raw"}


def write(folder: Path, content: Any) -> Path:
    file = folder / "list.yaml"
    file.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return file


def test_the_shipped_example() -> None:
    front, rear = read_cameras(EXAMPLE)
    assert front == CameraEntry(
        "front", "/front/image_raw", None, {"min_confidence": 0.0, "provider": "cuda"}
    )
    assert (rear.name, rear.image) == ("rear", "/rear/image_raw")
    assert rear.parameters["compressed"] is True
    assert rear.parameters["min_confidence"] == 0.0
    assert rear.parameters["qos_overrides"] == {
        "segmentation/mask": {"publisher": {"reliability": "best_effort"}}
    }


def test_a_camera_wins_over_the_defaults(tmp_path: Path) -> None:
    for name in ("a.onnx", "b.onnx", "a.yaml", "b.yaml"):
        (tmp_path / name).touch()
    own = {"model": "b.onnx", "params_file": "b.yaml", "provider": "cpu", "parameters": {"overlay": False}}
    defaults = {
        "model": "a.onnx",
        "params_file": "a.yaml",
        "parameters": {"overlay": True, "overlay_alpha": 0.25},
    }
    first, second = read_cameras(
        write(
            tmp_path, {"defaults": defaults, "cameras": [FRONT, {"name": "car/rear", "image": "/x", **own}]}
        )
    )
    assert first.params_file == tmp_path / "a.yaml"
    assert first.parameters == {"overlay": True, "overlay_alpha": 0.25, "model": str(tmp_path / "a.onnx")}
    assert second.params_file == tmp_path / "b.yaml"
    assert second.parameters == {
        "overlay": False,
        "overlay_alpha": 0.25,
        "model": str(tmp_path / "b.onnx"),
        "provider": "cpu",
    }


def test_paths_are_relative_to_the_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "own.onnx").touch()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(tmp_path)
    write(
        home,
        {"cameras": [{**FRONT, "model": "own.onnx"}, {"name": "b", "image": "b", "model": "~/own.onnx"}]},
    )
    for path in ("home/list.yaml", "~/list.yaml"):
        assert {camera.parameters["model"] for camera in read_cameras(path)} == {str(home / "own.onnx")}


def test_overrides_move_with_the_namespace() -> None:
    policies = {"publisher": {"depth": 3}}
    parameters = {"overlay": False, "qos_overrides": {"segmentation/mask": policies, "/tf": policies}}
    assert absolute_overrides(parameters, "/car/rear") == {
        "overlay": False,
        "qos_overrides": {"/car/rear/segmentation/mask": policies, "/tf": policies},
    }
    assert absolute_overrides({"overlay": True}, "/") == {"overlay": True}


def cameras(*entries: Any, **rest: Any) -> dict[str, Any]:
    return {"cameras": list(entries), **rest}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (cameras(FRONT, default={}), "unknown key 'default'; did you mean 'defaults'?"),
        (cameras({**FRONT, "modle": "x"}), "camera 'front': unknown key 'modle'; did you mean 'model'?"),
        (cameras({**FRONT, "zzz": 1}), "unknown key 'zzz'; there are name, image, model, provider"),
        (
            cameras(FRONT, defaults={"provder": "cpu"}),
            "defaults: unknown key 'provder'; did you mean 'provider'?",
        ),
        (cameras(FRONT, FRONT), "two cameras are named 'front'"),
        (cameras(FRONT, {**FRONT, "name": "/front"}), "two cameras are named 'front'"),
        (cameras({"name": "front"}), "camera 'front': 'image' is missing"),
        (cameras({"image": "x"}), "camera number 1: 'name' is missing"),
        (cameras({**FRONT, "name": "front camera"}), "not 'front camera'"),
        (cameras({**FRONT, "name": "1st"}), "not '1st'"),
        (cameras({**FRONT, "name": 7}), "camera number 1: 'name' must be text, not 7"),
        (cameras({**FRONT, "image": "x/compressed"}), "write x and compressed: true"),
        (
            cameras({**FRONT, "provider": "gpu"}),
            "must be one of auto, cuda, tensorrt, openvino, cpu, not 'gpu'",
        ),
        (cameras({**FRONT, "model": "none.onnx"}), "'model': "),
        (cameras(FRONT, defaults={"params_file": "none.yaml"}), "none.yaml: no such file"),
        (cameras({**FRONT, "parameters": ["overlay"]}), "'parameters' must be a mapping"),
        (
            cameras({**FRONT, "parameters": {"overlay": None}}),
            "parameter 'overlay' has no value that ROS knows",
        ),
        (
            cameras({**FRONT, "parameters": {"qos_overrides": {"/b": [1, None]}}}),
            "parameter '/b' has no value",
        ),
        (
            cameras({**FRONT, "parameters": {"qos_overrides": {"segmentation/maks": {}}}}),
            "the node has no output 'segmentation/maks'; did you mean 'segmentation/mask'?",
        ),
        (
            cameras({**FRONT, "parameters": {"qos_overrides": "segmentation/mask"}}),
            "'qos_overrides' must be a mapping of topics",
        ),
        (
            cameras({**FRONT, "parameters": {"min_confidense": 0.5}}),
            "camera 'front': unknown parameter 'min_confidense'; did you mean 'min_confidence'?",
        ),
        (
            cameras({**FRONT, "parameters": {"diagnostics": {"periods": 1.0}}}),
            "unknown parameter 'diagnostics.periods'; did you mean 'diagnostics.period_s'?",
        ),
        (cameras(), "'cameras' must be a list with at least one camera, not []"),
        ({"cameras": FRONT}, "'cameras' must be a list"),
        ({"defaults": {}}, "'cameras' must be a list"),
        (cameras("front"), "camera number 1: must be a mapping with the keys name, image"),
        ([FRONT], "must be a mapping with the keys defaults, cameras"),
        ("", "must be a mapping with the keys defaults, cameras, not None"),
        ("cameras:\n  - name: [", "line 2: not YAML: "),
        ("cameras: \t- x", "not YAML: "),
    ],
)
def test_mistakes_are_told_in_one_line(tmp_path: Path, content: Any, complaint: str) -> None:
    file = write(tmp_path, content)
    with pytest.raises(UserError) as caught:
        read_cameras(file)
    message = str(caught.value)
    assert message.startswith(f"{file}: ")
    assert complaint in message
    assert "\n" not in message


def test_a_list_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.yaml: No such file or directory: cameras:=FILE names"):
        read_cameras(tmp_path / "none.yaml")
    with pytest.raises(UserError, match="Is a directory"):
        read_cameras(tmp_path)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x80")
    with pytest.raises(UserError, match="not a text file"):
        read_cameras(tmp_path / "binary.yaml")
