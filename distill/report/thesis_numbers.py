"""The thesis' numbers for a run, and whether its data are those that the thesis reports on."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from distill.experiments.thesis import EXPERIMENTS, Experiment
from distill.report.runs import Run
from kd_seg_ros.common.classes import CLASS_NAMES

ACDC_VAL: Final[Mapping[str, int]] = {"fog": 100, "night": 106, "rain": 100, "snow": 100}
"""Images of ACDC's validation split."""
_GENERATED = "SCENES"
"""Begins the file names of `python -m distill scenes`, which have ACDC's layout."""
SWAPPED: Final = ("A", "B", "C", "D")
"""Rows of Table 4.6 whose rain and snow are almost certainly swapped."""
LOST: Final = ("4.7", "H")
"""Table and row that repeat the numbers of another row."""


def experiment_of(run: Run) -> Experiment | None:
    """Return the thesis' experiment that a run repeats: of that name, over ACDC's classes and weathers."""
    if run.class_names != CLASS_NAMES or not set(run.conditions) <= set(ACDC_VAL):
        return None
    return next((experiment for experiment in EXPERIMENTS if experiment.config == run.name), None)


def is_acdc_val(run: Run) -> bool:
    """Whether a run was evaluated on ACDC's validation split: its number of images, none generated."""
    counts = {condition: run.scores(condition)["images"] for condition in run.conditions}
    generated = any(name.rpartition("/")[2].startswith(_GENERATED) for name in run.images.names.tolist())
    return run.class_names == CLASS_NAMES and counts == ACDC_VAL and not generated


def letter(experiment: Experiment) -> str | None:
    """Return the experiment's row in Tables 4.6 to 4.8, if it has one."""
    table, _, row = experiment.where.rpartition(" ")
    return row if table == "Table 4.6" else None


def per_class(table: str, experiment: Experiment) -> Mapping[str, float]:
    """Return a row of Table 4.7 (IoU) or 4.8 (AUPRC), in percent by class and ``mean``, or nothing.

    Of a row that repeats another one's numbers only the mean, which is its own, is returned.
    """
    row = letter(experiment)
    values = _rows().get((table, row or ""), {})
    return {"mean": values["mean"]} if (table, row) == LOST else values


@cache
def _rows() -> dict[tuple[str, str], dict[str, float]]:
    with Path(__file__).with_name("thesis_per_class.csv").open(encoding="utf-8", newline="") as file:
        return {
            (row["table"], row["experiment"]): {name: float(row[name]) for name in (*CLASS_NAMES, "mean")}
            for row in csv.DictReader(file)
        }
