"""The thesis' per-class numbers, and when they are shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from distill.experiments.thesis import EXPERIMENTS
from distill.report.runs import Run, load_runs
from distill.report.thesis_numbers import ACDC_VAL, experiment_of, is_acdc_val, letter, per_class
from kd_seg_ros.common.classes import CLASS_NAMES

MakeRun = Callable[..., Path]

ROWS = [experiment for experiment in EXPERIMENTS if letter(experiment)]


def test_every_row_has_its_numbers() -> None:
    assert [letter(row) for row in ROWS] == list("ABCDEFGHIJ")
    for row in ROWS:
        assert set(per_class("4.8", row)) == {*CLASS_NAMES, "mean"}
    baseline = next(e for e in EXPERIMENTS if e.config == "baseline_rn18")
    assert (letter(baseline), per_class("4.7", baseline)) == (None, {})


@pytest.mark.parametrize("row", ROWS, ids=letter)
def test_means_agree_with_the_classes_and_with_table_4_6(row: object) -> None:
    iou = dict(per_class("4.7", row))  # type: ignore[arg-type]
    mean = iou.pop("mean")
    assert mean == row.result.full  # type: ignore[attr-defined]
    if letter(row) == "H":  # type: ignore[arg-type]
        assert iou == {}  # the thesis repeats G's
        return
    # Classes are rounded to 0.1, so is the mean.
    assert np.mean(list(iou.values())) == pytest.approx(mean, abs=0.11)
    area = dict(per_class("4.8", row))  # type: ignore[arg-type]
    assert area.pop("mean") == pytest.approx(np.mean(list(area.values())), abs=0.11)


def test_some_numbers_as_printed() -> None:
    j = ROWS[-1]
    assert per_class("4.7", j)["rider"] == 34.3
    assert per_class("4.8", j)["bicycle"] == 69.6


def test_an_experiment_is_known_by_name_classes_and_weathers(runs: list[Run], make_run: MakeRun) -> None:
    found = [experiment_of(run) for run in runs]
    assert [e and e.where for e in found] == ["Table 4.6 E", "Table 4.6 J", None]
    other_classes = load_runs([make_run("e_rn18_border", folder="c")])[0]
    other_weather = load_runs(
        [make_run("e_rn18_border", folder="w", names=CLASS_NAMES, images={"normal": 2})]
    )[0]
    assert experiment_of(other_classes) is None
    assert experiment_of(other_weather) is None


def test_the_validation_split_is_known_by_its_size(runs: list[Run]) -> None:
    run = runs[0]
    assert not is_acdc_val(run)
    scores = {name: {**run.scores(name), "images": ACDC_VAL.get(name, 406)} for name in run.columns}
    whole = replace(run, evaluated=replace(run.evaluated, document=run.document | {"scores": scores}))
    assert is_acdc_val(whole)
    names = np.char.replace(whole.images.names, "GP01_", "SCENES01_")
    generated = replace(whole.evaluated, images=replace(whole.images, names=names))
    assert not is_acdc_val(replace(whole, evaluated=generated))
