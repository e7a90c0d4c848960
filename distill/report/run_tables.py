"""Tables of the page that the thesis has none of: calibration, and what the trainings have cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from distill.common.formats import DASH, error_percent, three_digits
from distill.report.runs import Run
from distill.report.tables import ECES, Cell, Row, Table, compared


def calibration_table(runs: Sequence[Run]) -> Table:
    """Make a table of all calibration scores, by run and condition."""
    rows = []
    for run in runs:
        for condition in run.columns:
            scores = run.scores(condition)
            cells = [Cell(error_percent(scores.get(key))) for key, _ in ECES]
            cells.append(Cell(error_percent((scores["ece_classwise"] or {}).get("mean"))))
            cells += [Cell(three_digits(scores[key])) for key in ("brier", "nll")]
            title, kind = (run.label, "first") if condition == run.columns[0] else (condition, "next")
            rows.append(Row(title, cells, kind))
    head = ["run", *(title for _, title in ECES), "ECE class-wise [%]", "Brier score", "NLL [nats]"]
    return Table(head, rows)


def cost_table(runs: Sequence[Run], references: Mapping[str, Run]) -> Table:
    """Make a table of what each training has cost next to its mIoU, to compare methods at equal cost."""
    rows = []
    for run in runs:
        reference, cost = references.get(run.label), run.cost
        cells = [compared(run.scores()["miou"], None if reference is None else reference.scores()["miou"])]
        if cost is None:
            cells += [Cell(DASH)] * 4
        else:
            cells += [Cell(f"{cost.seconds:,.0f}"), Cell(cost.device)]
            cells += [Cell(f"{cost.images:,}"), Cell(f"{cost.epochs:,}")]
        rows.append(Row(run.label, cells))
    notes = [
        "Seconds of training, validation left out; of several devices added up. They compare methods on one "
        "device only. What a teacher's own training has cost is not in them."
    ]
    if any(run.cost is None for run in runs):
        notes.append(
            "A dash: not known, of an exported file or a training by an earlier version; evaluate the "
            "checkpoint of a new training."
        )
    return Table(["run", "mIoU [%]", "seconds", "device", "images seen", "epochs"], rows, notes=notes)
