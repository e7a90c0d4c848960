"""The thesis' experiments, their files and the numbers that it reports for them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from distill.config import load_config
from distill.experiments.thesis import EXPERIMENTS, Experiment, find_experiment
from kd_seg_ros.common.classes import CLASS_NAMES
from kd_seg_ros.common.errors import UserError

ROWS = [experiment for experiment in EXPERIMENTS if experiment.letter]


def test_every_row_has_its_numbers() -> None:
    assert [row.letter for row in ROWS] == list("ABCDEFGHIJ")
    for row in ROWS:
        assert set(row.per_class("4.8")) == {*CLASS_NAMES, "mean"}
    baseline = next(e for e in EXPERIMENTS if e.name == "baseline_rn18")
    assert (baseline.letter, baseline.per_class("4.7")) == (None, {})


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.letter)
def test_means_agree_with_the_classes_and_with_table_4_6(row: Experiment) -> None:
    iou = dict(row.per_class("4.7"))
    assert row.result is not None
    mean = iou.pop("mean")
    assert mean == row.result.full
    if row.letter == "H":
        assert iou == {}  # the thesis repeats G's
        return
    # Classes are rounded to 0.1, so is the mean.
    assert np.mean(list(iou.values())) == pytest.approx(mean, abs=0.11)
    area = dict(row.per_class("4.8"))
    assert area.pop("mean") == pytest.approx(np.mean(list(area.values())), abs=0.11)


def test_some_numbers_as_printed() -> None:
    j = ROWS[-1]
    assert j.per_class("4.7")["rider"] == 34.3
    assert j.per_class("4.8")["bicycle"] == 69.6


def test_a_name_or_a_letter_finds_it() -> None:
    assert find_experiment("j") is find_experiment("J") is find_experiment("j_rn18_cwd_border")
    with pytest.raises(UserError, match="A to J"):
        find_experiment("Z")


def objective(name: str) -> tuple[str, str, list[tuple[str, Any]]]:
    config = load_config(find_experiment(name).file)
    return (
        config.student.model,
        config.objective.logits,
        [(term.loss, term.maps) for term in config.objective.features],
    )


SIX = ("P4", "P8", "P16", "P32", "P64", "P128")
RN18, MNV4 = "swiftnet_resnet18", "swiftnet_mobilenetv4_conv_medium"


@pytest.mark.parametrize(
    ("letter", "model", "logits", "features"),
    [
        ("A", MNV4, "none", []),
        ("B", MNV4, "none", ["l2"]),
        ("C", MNV4, "kl", ["cwd"]),
        ("D", MNV4, "kl", ["l2"]),
        ("E", RN18, "none", []),
        ("F", RN18, "kl", ["l2"]),
        ("G", RN18, "none", ["lad"]),
        ("H", RN18, "none", ["l2"]),
        ("I", RN18, "kl", ["cwd"]),
        ("J", RN18, "none", ["cwd"]),
    ],
)
def test_table_4_6(letter: str, model: str, logits: str, features: list[str]) -> None:
    assert objective(letter) == (model, logits, [(loss, SIX) for loss in features])


def test_chapter_4_4_1() -> None:
    assert objective("short_rn18_kl") == (RN18, "kl", [])
    assert objective("short_rn18_kl_border") == (RN18, "kl_border", [])
    last = objective("short_rn18_kl_border_l2_prelogits")
    assert last == (RN18, "kl_border", [("l2", ("pre_logits",))])
    pidnet = load_config(find_experiment("short_pidnet_s_kl").file)
    assert (pidnet.objective.semantic, pidnet.training.epochs) == ("pidnet", 100)
    assert load_config(find_experiment("short_rn18_kl").file).training.epochs == 50


def test_every_experiment_uses_table_4_5() -> None:
    for experiment in EXPERIMENTS:
        config = load_config(experiment.file)
        training, data = config.training, config.data
        assert (training.batch_size, training.accumulate, training.learning_rate) == (8, 2, 4e-4)
        assert (data.crop, data.working_scale, data.scale) == ((1080, 1080), 0.8, (0.5, 2.0))
        if not experiment.name.startswith("short"):
            assert training.epochs == 250
