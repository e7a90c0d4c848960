"""Tables as the page shows them: Table 4.6 of the thesis with our numbers, the runs, and their calibration.

Each cell holds a value, below it the difference from another value, and a shade for better or worse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from distill.common.formats import DASH, error_percent, percent
from distill.experiments.thesis import SWAPPED, Experiment
from distill.report.comparisons import experiment_of, unlike_the_thesis
from distill.report.runs import Run

SHADES: Final = (0.05, 1.0, 3.0)
"""Differences in points from which a cell is shaded lightly, clearly and strongly."""
ECES: Final = (("ece", "ECE exact [%]"), ("ece_batched16", "ECE batched16 [%]"), ("aurc", "AURC [%]"))
"""Errors of the confidence by their keys in metrics.json, less is better; AURC is unknown in older files."""


@dataclass(frozen=True)
class Cell:
    """A cell: a value, and how it compares with another."""

    text: str
    below: str = ""
    """The difference from another value, shown below."""
    shade: str = ""
    """``better1`` to ``better3``, ``worse1`` to ``worse3``, or none."""


@dataclass(frozen=True)
class Row:
    """A row: its title and its cells."""

    title: str
    cells: Sequence[Cell]
    kind: str = ""
    """``first`` of a group, ``next`` for a row that belongs to the one above, ``total`` for a mean."""
    below: str = ""
    colour: str = ""
    """The look of the row's class as a value of CSS's ``background``; empty for other rows."""


@dataclass(frozen=True)
class Table:
    """A table under a heading."""

    head: Sequence[str]
    """The headings of all columns; the first is that of the row titles."""
    rows: Sequence[Row]
    groups: Sequence[tuple[str, int]] = ()
    """Headings above the columns after the first, and how many columns each spans."""
    notes: Sequence[str] = field(default=())
    """Sentences below the table."""


def signed(value: float, digits: int = 1) -> str:
    """Format a difference with its sign."""
    text = f"{value:+.{digits}f}"
    return "±" + text[1:] if float(text) == 0 else text.replace("-", "−")


def shade(points: float) -> str:
    """Return how a difference is shaded.

    :param points: percentage points, positive for better.
    """
    level = sum(round(abs(points), 6) >= limit for limit in SHADES)
    return f"{'better' if points > 0 else 'worse'}{level}" if level else ""


def compared(value: float | None, other: float | None) -> Cell:
    """Show a share in percent with its difference from another one; more is better."""
    if value is None or other is None:
        return Cell(percent(value))
    points = 100 * (value - other)
    return Cell(percent(value), signed(points), shade(points))


def compared_ece(value: float | None, other: float | None) -> Cell:
    """Show a calibration error with its difference from another one; less is better."""
    if value is None or other is None:
        return Cell(error_percent(value))
    points = 100 * (value - other)
    return Cell(error_percent(value), signed(points, 2), shade(-points))


def against_thesis(ours: float | None, thesis: float | None) -> Cell:
    """Ours, 0…1, minus the thesis' number in percent."""
    if ours is None or thesis is None:
        return Cell(DASH)
    points = 100 * ours - thesis
    return Cell(signed(points), shade=shade(points))


def scores_table(runs: Sequence[Run], references: Mapping[str, Run], comparable: bool) -> Table:
    """Make Table 4.6: mIoU by condition and ECE, the thesis' numbers below ours.

    :param comparable: whether the data are the thesis'; its numbers are shown only then.
    """
    conditions = runs[0].columns
    rows = []
    for run in runs:
        reference = references.get(run.label)
        rows.append(_ours(run, reference, conditions))
        experiment = experiment_of(run)
        if comparable and experiment is not None and experiment.result is not None:
            rows += _thesis(run, experiment, conditions)
    head = ["run", *(f"mIoU {condition}" for condition in conditions), *(title for _, title in ECES)]
    return Table(head, rows, notes=_scores_notes(runs, comparable))


def _ours(run: Run, reference: Run | None, conditions: Sequence[str]) -> Row:
    cells = []
    for condition in conditions:
        other = None if reference is None else reference.scores(condition)["miou"]
        cells.append(compared(run.scores(condition)["miou"], other))
    for key, _ in ECES:
        other = None if reference is None else reference.scores().get(key)
        cells.append(compared_ece(run.scores().get(key), other))
    below = "baseline" if reference is None else f"against {reference.label}"
    return Row(run.label, cells, "first", below)


def _thesis(run: Run, experiment: Experiment, conditions: Sequence[str]) -> list[Row]:
    result = experiment.result
    values = [getattr(result, condition) for condition in conditions]
    ece = None if result is None else result.ece
    shown = [Cell(f"{value:.1f}") for value in values]
    rows = [
        Row(f"thesis, {experiment.where}", [*shown, Cell(DASH), Cell(error_percent(ece)), Cell(DASH)], "next")
    ]
    cells = [
        against_thesis(run.scores(condition)["miou"], value)
        for condition, value in zip(conditions, values, strict=True)
    ]
    batched = run.scores()["ece_batched16"]
    last = Cell(DASH)
    if ece is not None and batched is not None:
        last = Cell(signed(100 * (batched - ece), 2), shade=shade(100 * (ece - batched)))
    rows.append(Row("ours − thesis", [*cells, Cell(DASH), last, Cell(DASH)], "next"))
    return rows


def _scores_notes(runs: Sequence[Run], comparable: bool) -> list[str]:
    notes = [
        "mIoU and ECE in percent. ECE, the expected calibration error: how far the confidence is from the "
        "share of pixels that are right. ECE exact is over all pixels; ECE batched16 is the mean over "
        "batches of 16 images, as the thesis reports it, which is biased upwards. AURC, the area under the "
        "risk-coverage curve: the mean share of wrong pixels when the least confident ones are left out."
    ]
    letters = {e.letter for e in map(experiment_of, runs) if e is not None}
    if comparable and letters & set(SWAPPED):
        notes.append(
            "In the thesis' rows A to D the columns rain and snow are almost certainly swapped; they are "
            "shown as printed."
        )
    for run in runs:
        if run.evaluated.on_training_images:
            notes.append(f"{run.label}: {run.evaluated.on_training_images}.")
    return [*notes, *unlike_the_thesis(runs)]


def runs_table(runs: Sequence[Run]) -> Table:
    """Make a table of what the runs are."""
    rows = []
    for run in runs:
        parameters, model = run.parameters(), run.document["model"]
        cells = [
            Cell(run.network),
            Cell(DASH if parameters is None else f"{parameters / 1e6:.2f}"),
            Cell(objective(run)),
            Cell(_calibration(model)),
            Cell(percent(run.scores()["accuracy"])),
            Cell(f"{model['file']}, {str(model['sha256'])[:8]}"),
        ]
        rows.append(Row(run.label, cells))
    return Table(
        ["run", "network", "parameters [M]", "learnt by", "calibration", "accuracy [%]", "file, SHA-256"],
        rows,
    )


def _calibration(model: Mapping[str, Any]) -> str:
    """Say how the confidence was calibrated: the temperature, or another method's name."""
    method = model["calibration"]["method"]
    if method != "temperature":
        return str(method).replace("_", " ")
    return f"T = {model['temperature']:.2f}" if model["temperature"] != 1 else "none"


def objective(run: Run) -> str:
    """Say what a run was trained by: the terms of equation 3.2, as its configuration names them."""
    if run.config is None:
        return DASH
    own = run.config.objective
    terms: list[str] = [own.semantic, *(term.loss for term in own.features)]
    terms += [own.logits] if own.logits != "none" else []
    terms += ["adversarial"] if own.adversarial is not None else []
    return " + ".join(terms)
