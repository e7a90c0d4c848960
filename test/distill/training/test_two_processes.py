"""Two processes with half the batch each train as one process does with the whole of it."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from acdc_tree import write_acdc
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from distill.__main__ import main

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student with all kinds of terms against an untrained teacher."""
    folder = tmp_path_factory.mktemp("runs")
    common: dict[str, Any] = {
        "out": str(folder),
        "data": {
            "root": str(write_acdc(folder / "acdc", frames=2, size=(48, 80))),
            "crop": [128, 128],
            "working_scale": 1,
            "workers": 0,
        },
        "student": {"backbone": "mobilenetv4_conv_small_035", "channels": 8},
        "training": {"epochs": 1, "batch_size": 4, "accumulate": 1, "learning_rate": 1e-4},
    }
    student = {
        "name": "student",
        "teacher": {"checkpoint": str(folder / "teacher/best.ckpt")},
        "objective": {
            "logits": "kl_border",
            "curriculum_temperature": True,
            "adversarial": True,
            "logits_projector": True,
            "features": [
                {"loss": "cwd", "adapters": True},
                {"loss": "cross_image", "maps": ["P16"]},
                # So small that it depends on the order of the images.
                {"loss": "memory_bank", "maps": ["P16"], "memory": {"pixels": 20, "pixels_per_image": 8}},
            ],
        },
        # In FP32, Adam makes whole steps of gradients that are nothing but rounding.
        "training": common["training"] | {"epochs": 3, "precision": "64-true"},
    }
    for values in ({"name": "teacher"}, student):
        (folder / f"{values['name']}.yaml").write_text(yaml.safe_dump(common | values))
    assert main(["fit", "--config", str(folder / "teacher.yaml")]) == 0
    return folder / "student.yaml"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "distill", "fit", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900)


def curve(folder: Path, tag: str) -> list[float]:
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return [event.value for event in events.Scalars(tag)]


def shares(folder: Path) -> dict[tuple[str, str, str], float]:
    """The gradients' shares by step, term and part of the network."""
    with (folder / "gradients.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {(row["step"], row["term"], row["part"]): float(row["share"]) for row in rows}


def test_the_loss_curve_and_the_weights_are_those_of_one_process(experiment: Path) -> None:
    folder = experiment.parent
    assert main(["fit", "--config", str(experiment), "--name", "one"]) == 0
    done = run("--config", str(experiment), "--name", "two", "--training.devices", "2")
    assert done.returncode == 0, done.stderr
    assert "2 processes, each with 2 of the 4 images of a batch" in done.stderr
    assert done.stdout.count("best checkpoint") == 1
    for tag in (
        "train/loss",
        "train/cwd",
        "train/kl_border",
        "train/cross_image",
        "train/memory_bank",
        "train/adversarial",
        "share/cwd",
        "val/miou",
    ):
        assert curve(folder / "two", tag) == pytest.approx(curve(folder / "one", tag), rel=1e-5), tag
    assert len(curve(folder / "one", "train/loss")) == 3
    measured = shares(folder / "one")
    terms = {"cwd", "kl_border", "cross_image", "memory_bank", "adversarial"}
    assert {key[1] for key in measured} == terms
    assert measured == pytest.approx(shares(folder / "two"), rel=2e-3)  # of the file's four digits
    one = state_of(folder / "one")
    two = state_of(folder / "two")
    assert one.keys() == two.keys()
    for key, value in one.items():
        assert torch.allclose(two[key], value, rtol=1e-5, atol=1e-6), key


def state_of(folder: Path) -> dict[str, torch.Tensor]:
    """The weights of a run and what its loss remembers."""
    checkpoint = torch.load(folder / "last.ckpt", weights_only=True)
    (memory,) = checkpoint["memories"]["memory_bank"]
    assert memory["pixels_filled"].max() == 20
    return {**checkpoint["state_dict"], **memory}


def test_a_batch_that_cannot_be_divided_is_one_line(
    experiment: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", "--config", str(experiment), "--name", "odd", "--training.devices", "3"]) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert "batch_size of 4 cannot be divided between 3 processes" in last
