"""Which run, and which experiment of the thesis, each run is compared with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from distill.experiments.thesis import ACDC_VAL
from distill.report.comparisons import (
    by_network,
    experiment_of,
    is_acdc_val,
    pairs,
    references,
    unlike_the_thesis,
)
from distill.report.runs import Run, load_runs
from kd_seg_ros.common.classes import CLASS_NAMES

MakeRun = Callable[..., Path]
MNV4 = {"backbone": "mobilenetv4_conv_medium"}


def names(runs: list[Run]) -> dict[str, str]:
    return {label: run.label for label, run in references(runs).items()}


def shown(runs: list[Run]) -> list[tuple[str, str]]:
    return [(first.label, second.label) for first, second in pairs(runs, references(runs))]


def test_each_network_has_its_own_baseline(make_run: MakeRun) -> None:
    runs = load_runs(
        [
            make_run("a", student=MNV4),
            make_run("b", student=MNV4, teacher=True, skill=3.0),
            make_run("f", teacher=True, skill=2.0),
            make_run("e"),
            make_run("j", teacher=True, skill=2.5),
        ]
    )
    assert names(runs) == {"b": "a", "f": "e", "j": "e"}
    assert shown(runs) == [("a", "b"), ("e", "j")]
    assert [run.label for run in by_network(runs)["swiftnet_resnet18"]] == ["f", "e", "j"]


def test_a_network_without_a_baseline_is_compared_with_the_reports(make_run: MakeRun) -> None:
    runs = load_runs(
        [
            make_run("e"),
            make_run("j", teacher=True),
            make_run("teacher", student=MNV4, skill=4.0),
        ]
    )
    assert names(runs) == {"j": "e", "teacher": "e"}
    # The teacher is better, but j is what was distilled into the baseline's network.
    assert shown(runs) == [("e", "j")]
    only = load_runs([runs[0].folder, runs[2].folder])
    assert shown(only) == [("e", "teacher")]


def test_one_run_alone(make_run: MakeRun) -> None:
    runs = load_runs([make_run()])
    assert (references(runs), shown(runs)) == ({}, [])


def test_an_experiment_is_known_by_name_classes_and_weathers(runs: list[Run], make_run: MakeRun) -> None:
    found = [experiment_of(run) for run in runs]
    assert [e and e.where for e in found] == ["Table 4.6 E", "Table 4.6 J", None]
    other_classes = load_runs([make_run("e_rn18_border", folder="c")])[0]
    other_weather = load_runs(
        [make_run("e_rn18_border", folder="w", names=CLASS_NAMES, images={"normal": 2})]
    )[0]
    assert experiment_of(other_classes) is None
    assert experiment_of(other_weather) is None


def test_an_experiment_of_fewer_images_or_without_pretrained_weights_is_another(runs: list[Run]) -> None:
    run = runs[0]
    assert run.config is not None
    for count, repeats in ((1600, True), (8, False)):
        document = run.document | {"model": run.document["model"] | {"training_images": count}}
        trained = replace(run, evaluated=replace(run.evaluated, document=document))
        assert (experiment_of(trained) is not None) == repeats
        told = " ".join(unlike_the_thesis([trained]))
        assert ("it was trained on 8 images, not ACDC's 1600" in told) != repeats
    for change in ({"pretrained": False}, {"pretrained": "weights.safetensors"}):
        student = run.config.student.model_copy(update=change)
        other = replace(run, config=run.config.model_copy(update={"student": student}))
        told = " ".join(unlike_the_thesis([other]))
        assert ("student.pretrained is False, not True" in told) == (change == {"pretrained": False})


def test_the_validation_split_is_known_by_its_size(runs: list[Run]) -> None:
    run = runs[0]
    assert not is_acdc_val(run)
    scores = {name: {**run.scores(name), "images": ACDC_VAL.get(name, 406)} for name in run.columns}
    whole = replace(run, evaluated=replace(run.evaluated, document=run.document | {"scores": scores}))
    assert is_acdc_val(whole)
    names = np.char.replace(whole.images.names, "GP01_", "SCENES01_")
    generated = replace(whole.evaluated, images=replace(whole.images, names=names))
    assert not is_acdc_val(replace(whole, evaluated=generated))
