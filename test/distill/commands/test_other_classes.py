"""A folder with other classes, mixed with unlabelled images, from training to the exported file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from acdc_tree import write_png
from architectures import SMALL_BACKBONE

from distill.__main__ import main
from distill.checkpoints.student import load_student
from distill.export.model_card import trained_card
from kd_seg_ros.common.classes import PALETTE
from kd_seg_ros.inference.card import ModelCard

CLASSES = {"classes": ["sky", "pavement", "tram stop"], "values": {0: "sky", 3: "pavement", 9: "tram stop"}}
SIZE = (64, 128)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A teacher, and a student that learns from it on unlabelled images too."""
    folder = tmp_path_factory.mktemp("runs")
    rng = np.random.default_rng(0)
    for split, count in (("train", 4), ("val", 2), ("more", 4)):
        for number in range(count):
            name = f"{number}.png"
            write_png(folder / split / "images" / name, rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8))
            if split != "more":
                labels = rng.choice(np.array([0, 3, 9, 255], np.uint8), SIZE)
                write_png(folder / split / "labels" / name, labels)
    data = {"dataset": "folder", "root": str(folder), "crop": [64, 64], "workers": 0, "classes": CLASSES}
    common: dict[str, Any] = {
        "out": str(folder / "runs"),
        "student": {"model": "fpn_lite", "backbone": SMALL_BACKBONE, "channels": 8},
        "training": {"epochs": 1, "batch_size": 4, "accumulate": 1},
    }
    unlabelled = {"dataset": "folder", "root": str(folder), "images": "more/images", "labels": None}
    student = {
        "name": "student",
        "data": data | {"extra": [unlabelled | {"weight": 3}], "draws": 4},
        "teacher": {"checkpoint": str(folder / "runs/teacher/best.ckpt")},
        "objective": {"logits": "kl_border"},
    }
    for values in ({"name": "teacher", "data": data}, student):
        path = folder / f"{values['name']}.yaml"
        path.write_text(yaml.safe_dump(common | values))
        assert main(["fit", "--config", str(path)]) == 0
    return folder / "runs"


def test_the_checkpoint_knows_its_classes(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network, config = load_student(runs / "student/best.ckpt")
    assert config.data.class_names == ("sky", "pavement", "tram stop")
    assert network.get_submodule(network.classifier_name).out_channels == 3
    assert main(["evaluate", "--model", str(runs / "student/best.ckpt")]) == 0
    assert "tram stop" in capsys.readouterr().out
    document = json.loads((runs / "student/best.metrics.json").read_text())
    assert document["classes"] == ["sky", "pavement", "tram stop"]
    assert set(document["scores"]["full"]["iou"]) == {"sky", "pavement", "tram stop"}


def test_the_card_has_its_names_and_colours(runs: Path) -> None:
    _, config = load_student(runs / "student/best.ckpt")
    card = trained_card(config, None, SIZE, 0)
    assert ModelCard.from_json(card.to_json()) == card
    assert card.class_names == ("sky", "pavement", "tram stop")
    assert card.palette[:2] == (PALETTE[10], PALETTE[1])


def test_a_teacher_of_other_classes_is_refused(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = yaml.safe_load((runs.parent / "student.yaml").read_text())
    values["data"]["classes"] = {"classes": ["tram stop", "pavement", "sky"], "values": CLASSES["values"]}
    path = tmp_path / "other.yaml"
    path.write_text(yaml.safe_dump(values | {"name": "other"}))
    assert main(["fit", "--config", str(path)]) == 2
    assert "knows other classes (sky, pavement, tram stop) than the data" in capsys.readouterr().err
