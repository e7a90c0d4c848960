"""Accuracy against its cost: CPU time and arithmetic of the runs' networks, as one SVG for a document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from matplotlib.axes import Axes

from distill.common.files import write_file
from distill.report.comparison_plots import read_benchmark, set_scale
from distill.report.figures import Style, figure, look, settle, styles
from distill.report.runs import Run
from kd_seg_ros.common.errors import UserError

_AXES: Final = (
    ("cpu_onnx_ms", "CPU time of an image of 540×960 [ms]"),
    ("gflops", "GFLOPs of an image of 1080×1920"),
)
"""Columns of `kd_seg benchmark --suite models`, and the titles of the axes that show them."""
_FRONT: Final = "#6b7680"


def write_pareto(runs: Sequence[Run], speeds: Path, out: Path) -> None:
    """Draw mIoU against CPU time and GFLOPs of every run's network.

    A line joins the runs that no other one beats: those of greater mIoU all cost more.

    :param speeds: JSON of `kd_seg benchmark --suite models --json`.
    :param out: the .svg file to write.
    :raises UserError: if a file cannot be read or written, or lacks a run's network.
    """
    if out.suffix != ".svg":
        raise UserError(f"--pareto {out} must end in .svg")
    rows = read_benchmark(speeds)
    missing = [run.label for run in runs if not _is_measured(rows.get(str(run.catalogue_name), {}))]
    if missing:
        raise UserError(
            f"--pareto: --speeds {speeds} has not measured the network of {', '.join(missing)}: measure it "
            "with `kd_seg benchmark --suite models --json`"
        )
    drawn_as = styles(runs)
    with look():
        drawn = figure(3.2 + 0.2 * len(runs), 8)
        for axes, (column, title) in zip(drawn.subplots(1, len(_AXES), sharey=True), _AXES, strict=True):
            costs = {run.label: float(rows[str(run.catalogue_name)][column]) for run in runs}
            _draw(axes, runs, costs, drawn_as)
            axes.set(xlabel=title)
        first = drawn.axes[0]
        first.set(ylabel="mIoU [%]")
        drawn.legend(*first.get_legend_handles_labels(), loc="outside lower center", ncols=2)
        settle(drawn)
        write_file(out, partial(drawn.savefig, format="svg", metadata={"Date": None}))


def _is_measured(row: Mapping[str, Any]) -> bool:
    """Return whether a network's row of the benchmark has all that is drawn, as numbers above 0."""
    values = [row.get(column) for column, _ in _AXES]
    return all(isinstance(value, int | float) and value > 0 for value in values)


def _draw(axes: Axes, runs: Sequence[Run], costs: Mapping[str, float], drawn_as: Mapping[str, Style]) -> None:
    """Draw the runs as points and their Pareto front as steps."""
    front = pareto_front([(costs[run.label], 100 * run.miou) for run in runs])
    axes.step(*zip(*front, strict=True), where="post", color=_FRONT, linewidth=1, zorder=1)
    for run in runs:
        style = drawn_as[run.label]
        axes.plot(
            [costs[run.label]],
            [100 * run.miou],
            color=style.colour,
            marker=style.marker,
            markeredgecolor="white",
            linestyle="none",
            label=f"{run.label}: {100 * run.miou:.1f}",
        )
    set_scale(axes, list(costs.values()))
    axes.margins(y=0.15)


def pareto_front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the points (cost, score) that no other point beats, by rising cost.

    A point is beaten by one that costs no more and scores higher, or costs less and scores as high.
    """
    front: list[tuple[float, float]] = []
    for cost, score in sorted(points, key=_by_cost_then_score):
        if not front or score > front[-1][1]:
            front.append((cost, score))
    return front


def _by_cost_then_score(point: tuple[float, float]) -> tuple[float, float]:
    """Sort key: cheap before dear, and of equal cost the better one first."""
    return point[0], -point[1]
