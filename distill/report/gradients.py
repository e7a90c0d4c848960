"""The gradients of a run's terms next to the labels', over the steps of training.

Reads what :mod:`distill.training.gradient_log` wrote, ``gradients.csv`` in the run's folder.
"""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from distill.report.figures import figure, style
from distill.training.gradient_log import COLUMNS, FILE
from distill.training.gradient_shares import BACKBONE, DECODER, LEAST, MOST, Shares
from kd_seg_ros.common.errors import UserError

_PARTS: Final = (BACKBONE, DECODER)


def read_gradients(folder: Path) -> list[Shares]:
    """Read the measured steps of a run, in order; empty if it has measured none.

    :param folder: of the run.
    :raises UserError: for a file that cannot be read or is damaged, in one line.
    """
    path = folder / FILE
    if not path.is_file():
        return []
    steps: dict[int, dict[str, dict[str, float]]] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file, strict=True)
            if tuple(rows.fieldnames or ()) != COLUMNS:
                raise ValueError(f"its first line is not {','.join(COLUMNS)}")
            for row in rows:
                # A resumed run measures some steps again: the later row counts.
                _add(steps, row, rows.line_num)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, csv.Error) as error:
        raise UserError(f"{path} is damaged: {error}") from error
    return [Shares(step, steps[step]) for step in sorted(steps)]


def _add(steps: dict[int, dict[str, dict[str, float]]], row: dict[str, str], line: int) -> None:
    """Add a row; raises ValueError, with its line, where it is none."""
    try:
        step, share = int(row["step"]), float(row["share"])
        part = row["part"]
    except (TypeError, ValueError) as error:
        raise ValueError(f"line {line} is no step, term, part and share") from error
    if not row["term"] or part not in _PARTS or step < 0 or not (math.isfinite(share) and share >= 0):
        raise ValueError(f"line {line} is no step, term, part and share")
    steps.setdefault(step, {}).setdefault(row["term"], {})[part] = share


def warnings_of(measured: Sequence[Shares]) -> list[str]:
    """Return one sentence per term that was too weak or too strong: when first, and how often."""
    first: dict[tuple[str, str], str] = {}
    counts: Counter[tuple[str, str]] = Counter()
    for shares in measured:
        for key, warning in shares.faults().items():
            first.setdefault(key, warning)
            counts[key] += 1
    return [
        f"{warning} (so in {counts[key]} of {len(measured)} measured steps)" for key, warning in first.items()
    ]


def draw_gradients(measured: Sequence[Shares], title: str) -> Figure:
    """Draw the share of each term over the steps, for the backbone and for the decoder.

    :param measured: what :func:`read_gradients` returned, not empty.
    """
    terms: list[str] = []
    known: set[str] = set()
    for shares in measured:
        terms += [term for term in shares.of_parts if term not in terms]
        known = known.union(*shares.of_parts.values())
    parts = [part for part in _PARTS if part in known]
    drawn = figure(0.6 + 2.6 * len(parts) + 0.2 * len(terms))
    for number, part in enumerate(parts):
        axes = drawn.add_subplot(len(parts), 1, number + 1)
        for place, term in enumerate(terms):
            look = style(place)
            steps, values = _curve(measured, term, part)
            axes.plot(steps, values, color=look.colour, marker=look.marker, markersize=4, linestyle=look.line)
            axes.lines[-1].set_label(term if number == 0 else f"_{term}")
        _bounds(axes)
        axes.set(title=f"{title}, {part}" if number == 0 else part, ylabel="multiple of the labels' gradient")
    drawn.axes[-1].set_xlabel("steps")
    drawn.legend(loc="outside lower center", ncols=1, handlelength=3.5)
    return drawn


def _curve(measured: Sequence[Shares], term: str, part: str) -> tuple[list[int], list[float]]:
    """Return the steps at which the share of a term is above 0, and the shares: the scale is logarithmic."""
    steps: list[int] = []
    values: list[float] = []
    for shares in measured:
        share = shares.of_parts.get(term, {}).get(part, 0.0)
        if share > 0:
            steps.append(shares.step)
            values.append(share)
    return steps, values


def _bounds(axes: Axes) -> None:
    """Draw the shares below and above which a term is warned of."""
    axes.set_yscale("log")
    for value, text in ((LEAST, f"{100 * LEAST:g} %"), (1.0, "as the labels"), (MOST, f"{MOST:g} times")):
        axes.axhline(value, color="#5b6774", linewidth=0.9, linestyle="-" if value == 1 else "--")
        axes.annotate(
            text, (1, value), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=8
        )
