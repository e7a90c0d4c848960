"""What `fit` saw of each run's data before training: counts by split, and what was odd about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from distill.common.formats import DASH, percent
from distill.data.data_check import read_data_check
from distill.report.runs import Run
from distill.report.tables import Cell, Row, Table

HEAD = ("run", "split", "images", "with labels", "weathers", "sizes", "ignored [%]", "looked at")


def data_table(runs: Sequence[Run]) -> Table:
    """Make a table with a row for each split of each run, and the findings of each run as notes."""
    rows, notes = [], []
    for run in runs:
        document = None
        if run.config is not None:
            document = read_data_check(run.folder / "best.ckpt", run.config.data)
        if document is None:
            rows.append(Row(run.label, [Cell(DASH)] * (len(HEAD) - 1), "first"))
            continue
        for number, (split, counted) in enumerate(document["splits"].items()):
            rows.append(
                Row("" if number else run.label, _cells(split, counted), "next" if number else "first")
            )
        notes += [f"{run.label}: {finding['message']}." for finding in document["findings"]]
    if any(row.cells[0].text == DASH for row in rows):
        notes.append("A dash: the data were not looked at, or the run was trained by an earlier version.")
    return Table(HEAD, rows, notes=notes)


def _cells(split: str, counted: Mapping[str, Any]) -> list[Cell]:
    """Return the cells of one split of a run."""
    weathers = ", ".join(f"{name} {number}" for name, number in counted["conditions"].items())
    sizes = ", ".join(f"{size} ({number})" for size, number in counted.get("sizes", {}).items())
    return [
        Cell(split),
        Cell(str(counted["images"])),
        Cell(str(counted["labelled"])),
        Cell(weathers or DASH),
        Cell(sizes or DASH),
        Cell(percent(counted.get("ignored"))),
        Cell(str(counted["looked_at"])),
    ]
