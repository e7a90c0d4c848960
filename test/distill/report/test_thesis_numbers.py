"""Which runs are shown next to the thesis' numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from distill.report.runs import Run, load_runs
from distill.report.thesis_numbers import ACDC_VAL, experiment_of, is_acdc_val
from kd_seg_ros.common.classes import CLASS_NAMES

MakeRun = Callable[..., Path]


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
