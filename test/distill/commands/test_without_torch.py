"""What a vehicle does with bags works where the offline half's packages are not installed."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from acdc_tree import write_acdc
from demo_drive import ROOT, frame, read_bag, write_drive
from known_scores import known_scores
from tiny_model import write_tiny_model

HEIGHT, WIDTH = 48, 64
BLOCKED = (
    *("torch", "torchvision", "timm", "lightning", "pytorch_lightning", "pydantic", "onnx", "onnxscript"),
    *("matplotlib", "transformers", "scipy", "rich", "tensorboard", "safetensors", "tqdm", "jinja2"),
)
RUN = """
import json, sys
blocked, arguments = json.loads(sys.argv[1])
for name in blocked:
    sys.modules[name] = None  # makes any import of it fail
from distill.__main__ import main
status = main(arguments)
loaded = [name for name in sys.modules if name.partition(".")[0] in blocked and sys.modules[name] is not None]
assert not loaded, loaded
sys.exit(status)
"""


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run ``kd_seg ARGUMENTS`` with this checkout's sources and without the blocked packages."""
    given = json.dumps([BLOCKED, [str(argument) for argument in arguments]])
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", RUN, given], capture_output=True, text=True, timeout=600, env=environment
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("model") / "tiny.onnx", HEIGHT, WIDTH)


def test_a_bag_is_made_of_images_with_acdcs_labels_and_segmented(model: Path, tmp_path: Path) -> None:
    root = write_acdc(
        tmp_path / "acdc", splits=("train",), conditions=("fog",), frames=2, size=(HEIGHT, WIDTH)
    )
    made = run("make-bag", root / "rgb_anon", "--acdc", root, "--out", tmp_path / "bag")
    assert made.returncode == 0, made.stderr
    assert len(read_bag(tmp_path / "bag")["/camera/labels"]) == 2
    options = ["--model", model, "--provider", "cpu", "--out", tmp_path / "out", "--csv", tmp_path / "t.csv"]
    done = run("segment-bag", tmp_path / "bag", *options, "--overlay")
    assert done.returncode == 0, done.stderr
    assert "2 of 2 frames segmented" in done.stdout
    assert len(read_bag(tmp_path / "out")["/segmentation/overlay"]) == 2


def test_a_bag_is_scored_by_its_maps(model: Path, tmp_path: Path) -> None:
    bag = write_drive(tmp_path / "bag", 3)
    options = ["--model", model, "--provider", "cpu", "--out", tmp_path / "out"]
    done = run("segment-bag", bag, *options, "--labels-topic", "/camera/labels")
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("warning: ")]
    assert line.startswith("warning: AUPRC, Brier score and NLL are left out: they need the offline half")
    assert "pip install 'kd_seg_ros[distill]'" in line
    document = json.loads((tmp_path / "out" / "metrics.json").read_text())
    known = known_scores([frame(number) for number in range(3)])
    assert document["scores"]["full"]["miou"] == pytest.approx(known.miou, abs=1e-9)
    assert document["scores"]["full"]["ece"] == pytest.approx(known.ece, abs=1e-6)
    assert document["scores"]["full"]["auprc"] is None
    assert f"mIoU [%]\t{100 * known.miou:.1f}" in done.stdout
    assert document["model"]["calibration"] == {"method": "temperature", "parameters": {"temperature": 1.0}}


@pytest.mark.skipif(importlib.util.find_spec("rclpy") is None, reason="needs ROS 2")
def test_a_bag_is_played(tmp_path: Path) -> None:
    options = ["--wait", "0", "--rate", "10", "--timing", tmp_path / "timing.csv"]
    done = run("play-bag", write_drive(tmp_path / "bag", 3), *options)
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "timing.csv").read_text().splitlines()) == 1 + 9


def test_what_is_missing_is_named_in_one_line() -> None:
    done = run("fit", "--config", "demo_student")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: kd_seg fit needs the Python package ")
    assert "pip install 'kd_seg_ros[distill]'" in line
