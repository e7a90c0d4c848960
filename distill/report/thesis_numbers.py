"""Which experiment of the thesis a run repeats, and whether its data are those of the thesis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from distill.experiments.thesis import EXPERIMENTS, Experiment
from distill.report.runs import Run
from kd_seg_ros.common.classes import CLASS_NAMES

ACDC_VAL: Final[Mapping[str, int]] = {"fog": 100, "night": 106, "rain": 100, "snow": 100}
"""Images of ACDC's validation split."""
_GENERATED = "SCENES"
"""Begins the file names of `kd_seg scenes`, which have ACDC's layout."""


def experiment_of(run: Run) -> Experiment | None:
    """Return the thesis' experiment that a run repeats: of that name, over ACDC's classes and weathers."""
    if run.class_names != CLASS_NAMES or not set(run.conditions) <= set(ACDC_VAL):
        return None
    return next((experiment for experiment in EXPERIMENTS if experiment.name == run.name), None)


def is_acdc_val(run: Run) -> bool:
    """Whether a run was evaluated on ACDC's validation split: its number of images, none generated."""
    counts = {condition: run.scores(condition)["images"] for condition in run.conditions}
    generated = any(name.rpartition("/")[2].startswith(_GENERATED) for name in run.images.names.tolist())
    return run.class_names == CLASS_NAMES and counts == ACDC_VAL and not generated
