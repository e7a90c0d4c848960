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
    assert objective("long_rn18_kl_border_l2_prelogits") == last


@pytest.mark.parametrize(
    ("curves", "epochs"),
    [
        (("short_rn18", *(f"short_rn18_{end}" for end in ("kl", "kl_border", "kl_border_l2_prelogits"))), 50),
        (("short_pidnet_s", "short_pidnet_s_kl"), 100),
    ],
)
def test_the_curves_of_a_figure_share_one_schedule(curves: tuple[str, ...], epochs: int) -> None:
    """One of 250 epochs, stopped early, and all of training besides; the first curve has no teacher."""
    configs = [load_config(find_experiment(name).file) for name in curves]
    first = configs[0].training
    assert (first.epochs, first.stop_after) == (250, epochs)
    assert all(config.training == first for config in configs)
    assert [config.teacher is None for config in configs] == [True] + [False] * (len(curves) - 1)
    assert len({(config.student.model, config.objective.semantic) for config in configs}) == 1


def test_every_swiftnet_uses_table_4_5() -> None:
    for experiment in EXPERIMENTS:
        config = load_config(experiment.file)
        training, data = config.training, config.data
        assert (data.crop, data.working_scale, data.scale) == ((1080, 1080), 0.8, (0.5, 2.0))
        if config.student.model.startswith("swiftnet"):
            assert (training.batch_size, training.accumulate, training.learning_rate) == (8, 2, 4e-4)
            assert (training.epochs, training.schedule, training.optimiser) == (250, "cosine", "adam")
            assert (training.backbone_factor, training.head_factor) == (0.25, 1)


SGD = {"optimiser": "sgd", "learning_rate": 0.01, "momentum": 0.9, "schedule": "polynomial"}
PIDNET = SGD | {"weight_decay": 5e-4, "power": 0.9, "epochs": 484, "batch_size": 12}
SFNET = SGD | {"weight_decay": 1e-4, "power": 1.0, "epochs": 300, "batch_size": 16}
SEGFORMER = {
    **{"optimiser": "adamw", "learning_rate": 6e-5, "head_factor": 10, "betas": (0.9, 0.999)},
    **{"weight_decay": 0.01, "decay_norms": False, "schedule": "polynomial", "power": 1.0, "warm_up": 1500},
    **{"epochs": 800, "batch_size": 8},
}


@pytest.mark.parametrize(
    ("name", "loss", "recipe"),
    [
        ("baseline_pidnet_s", ("pidnet", 0.9, 131_072), PIDNET),
        ("baseline_pidnet_m", ("pidnet", 0.9, 131_072), PIDNET),
        ("baseline_pidnet_l", ("pidnet", 0.9, 131_072), PIDNET),
        ("short_pidnet_s_kl", ("pidnet", 0.9, 131_072), PIDNET | {"epochs": 250}),
        ("baseline_sfnet", ("ohem", 0.7, 10_000), SFNET),
        ("baseline_sfnet_lite", ("ohem", 0.7, 100_000), SFNET | {"epochs": 1000}),
        ("baseline_hrnetv2_w48", ("cross_entropy", 0.9, 131_072), PIDNET),
        ("baseline_segformer_b0", ("cross_entropy", 0.9, 131_072), SEGFORMER),
    ],
)
def test_baselines_have_their_authors_recipes(
    name: str, loss: tuple[str, float, int], recipe: dict[str, Any]
) -> None:
    config = load_config(find_experiment(name).file)
    objective, training = config.objective, config.training
    assert (objective.semantic, objective.ohem_threshold, objective.ohem_keep) == loss
    assert {key: getattr(training, key) for key in recipe} == recipe
    assert (training.backbone_factor, training.accumulate) == (1, 1)
