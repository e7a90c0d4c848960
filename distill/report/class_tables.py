"""Tables 4.7 and 4.8 of the thesis: IoU and AUPRC by class, our numbers next to the thesis' numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from distill.common.formats import DASH
from distill.common.palette import css_backgrounds, palette
from distill.experiments.thesis import LOST
from distill.report.comparisons import experiment_of
from distill.report.runs import Run
from distill.report.tables import Cell, Row, Table, against_thesis, compared

_ACROSS: Final = 6
"""Number of runs that fit a printed page; with the thesis' numbers a run takes the room of two."""


def iou_tables(runs: Sequence[Run], references: Mapping[str, Run], comparable: bool) -> list[Table]:
    """Make Table 4.7: IoU by class."""
    notes = ["IoU in percent; a dash: the class is neither in the labels nor predicted."]
    experiments = [experiment_of(run) for run in runs]
    if comparable and any(e is not None and ("4.7", e.letter) == LOST for e in experiments):
        notes.append("Row H of the thesis' Table 4.7 repeats row G; only its mean is known.")
    values = {run.label: {**run.scores()["iou"], "mean": run.scores()["miou"]} for run in runs}
    return _class_tables("4.7", runs, references, comparable, values, notes)


def auprc_tables(runs: Sequence[Run], references: Mapping[str, Run], comparable: bool) -> list[Table]:
    """Make Table 4.8: AUPRC by class, one against the rest; no tables if no run has any."""
    found: dict[str, Mapping[str, Any]] = {run.label: run.scores()["auprc"] or {} for run in runs}
    rules = {(area["rule"], area["thresholds"]) for area in found.values() if area}
    if not rules:
        return []
    how = " and ".join(f"rule “{rule}”, {thresholds} thresholds" for rule, thresholds in sorted(rules))
    notes = [
        "AUPRC, the area under the curve of precision over recall, in percent: one class against the rest, "
        f"pixels of all images pooled. Ours: {how}, equally spaced from 0 to 1. The thesis: 20 such "
        "thresholds; its rule is not stated."
    ]
    if not all(found.values()):
        notes.append("A run without AUPRC gave the mask and its confidence only.")
    values = {label: {**area.get("per_class", {}), "mean": area.get("mean")} for label, area in found.items()}
    return _class_tables("4.8", runs, references, comparable, values, notes)


def _class_tables(
    table: str,
    runs: Sequence[Run],
    references: Mapping[str, Run],
    comparable: bool,
    values: Mapping[str, Mapping[str, float | None]],
    notes: Sequence[str],
) -> list[Table]:
    """Make tables with a row per class, as many as keep each narrow enough to print.

    :param values: by run and by class or ``mean``, 0…1.
    """
    names = runs[0].class_names
    colours = css_backgrounds(palette(names))
    tables = []
    for part in _parts(table, runs, comparable):
        rows = []
        for name, colour in zip((*names, "mean"), (*colours, ""), strict=True):
            cells: list[Cell] = []
            for run in part:
                reference = references.get(run.label)
                cells += _class_cells(table, run, reference, comparable, values, name)
            rows.append(Row(name, cells, "" if colour else "total", colour=colour))
        widths = [_width(table, run, comparable) for run in part]
        kinds = ["ours", "thesis", "difference"]
        head = ["class"]
        for width in widths:
            head += kinds[:width]
        groups = [(run.label, width) for run, width in zip(part, widths, strict=True)]
        if max(widths) == 1:
            head, groups = ["class", *(run.label for run in part)], []
        tables.append(Table(head, rows, groups))
    last = tables[-1]
    return [*tables[:-1], Table(last.head, last.rows, last.groups, notes)]


def _class_cells(
    table: str,
    run: Run,
    reference: Run | None,
    comparable: bool,
    values: Mapping[str, Mapping[str, float | None]],
    name: str,
) -> list[Cell]:
    """Return a run's cells of one class: ours, the thesis' and the difference, as far as there are."""
    ours = values[run.label].get(name)
    other = None if reference is None else values[reference.label].get(name)
    cells = [compared(ours, other)]
    if _width(table, run, comparable) > 1:
        experiment = experiment_of(run)
        assert experiment is not None
        thesis = experiment.per_class(table).get(name)
        cells.append(Cell(DASH if thesis is None else f"{thesis:.1f}"))
        cells.append(against_thesis(ours, thesis))
    return cells


def _width(table: str, run: Run, comparable: bool) -> int:
    """Return how many columns a run takes: 3 with the thesis' numbers, else 1."""
    experiment = experiment_of(run)
    if not comparable or experiment is None or not experiment.per_class(table):
        return 1
    return 3


def _parts(table: str, runs: Sequence[Run], comparable: bool) -> list[list[Run]]:
    """Divide the runs into groups that fit a page, in order."""
    parts: list[list[Run]] = [[]]
    room = _ACROSS
    for run in runs:
        taken = min(_width(table, run, comparable), 2)
        if taken > room:
            parts.append([])
            room = _ACROSS
        parts[-1].append(run)
        room -= taken
    return parts
