"""Plots that set the runs against each other.

mIoU over the epochs of training (figures 4.2 and 4.3 of the thesis), and mIoU against parameters and frames
per second (figures 4.4 and 4.5) with what distillation adds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator, StrMethodFormatter

from distill.models.catalogue import MODELS
from distill.report.comparisons import by_network
from distill.report.curves import Curve
from distill.report.figures import Style, figure
from distill.report.runs import Run
from distill.report.tables import signed
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.files import read_text, reason

_TICKS: Final = np.outer(10.0 ** np.arange(-2, 4), (1, 2, 3, 5, 7)).ravel().tolist()
"""Values that a logarithmic scale labels: 0.01, 0.02, 0.03, 0.05, 0.07, 0.1 and so on."""
_LOGARITHMIC_FROM: Final = 4
"""Ratio of the greatest to the least value from which the horizontal scale is logarithmic."""
_MEASURES: Final = (
    ("gpu_onnx_fp16_fps", "ONNX Runtime in FP16 on the GPU, 1080×1920"),
    ("gpu_torch_fp16_fps", "PyTorch in FP16 on the GPU, 1080×1920"),
    ("cpu_onnx_ms", "ONNX Runtime on the CPU, 540×960"),
)
"""Columns of the benchmark, the preferred one first."""
_FASTEST: Final = (1e-3, 1e7)
"""Least and greatest value of such a column, frames per second or milliseconds, that can be right."""


def draw_tradeoff(
    runs: Sequence[Run],
    values: Mapping[str, float],
    references: Mapping[str, Run],
    look: Mapping[str, Style],
    title: str,
) -> Figure:
    """Draw a point for every run that has a value, and an arrow to it from the baseline of its network.

    :param values: where a run stands on the horizontal axis, by label; above 0.
    :param look: how each run is drawn, by label.
    :param title: the title of the horizontal axis.
    """
    shown = [run for run in runs if run.label in values]
    drawn = figure(4 + 0.2 * len(shown))
    axes = drawn.add_subplot()
    arrows: dict[str, int] = {}
    for run in shown:
        style, reference = look[run.label], references.get(run.label)
        gained = ""
        if reference is not None and reference.network == run.network and reference.label in values:
            gained = f" ({signed(100 * (run.miou - reference.miou))})"
            number = arrows[reference.label] = arrows.get(reference.label, -1) + 1
            _arrow(axes, _place(reference, values), _place(run, values), style.colour, number)
        x, y = _place(run, values)
        axes.plot(
            [x],
            [y],
            color=style.colour,
            marker=style.marker,
            markeredgecolor="white",
            linestyle="none",
            label=f"{run.label}: {y:.1f}{gained}",
        )
    set_scale(axes, [values[run.label] for run in shown])
    axes.margins(y=0.15)
    axes.set(xlabel=title, ylabel="mIoU [%]")
    drawn.legend(loc="outside lower center", ncols=1, handlelength=1)
    return drawn


def _place(run: Run, values: Mapping[str, float]) -> tuple[float, float]:
    return values[run.label], 100 * run.miou


def _arrow(
    axes: Axes, start: tuple[float, float], end: tuple[float, float], colour: str, number: int
) -> None:
    """Draw arrow 0, 1, … of a baseline, each bent differently: runs of one network share a vertical line."""
    bend = (0.25 + 0.15 * (number // 2)) * (1 if number % 2 == 0 else -1)
    axes.annotate(
        "",
        xy=end,
        xytext=start,
        arrowprops={
            "arrowstyle": "-|>",
            "color": colour,
            "linewidth": 1.1,
            "mutation_scale": 9,
            "shrinkA": 3,
            "shrinkB": 3,
            "connectionstyle": f"arc3,rad={bend}",
        },
    )


def set_scale(axes: Axes, values: Sequence[float]) -> None:
    """Choose a scale that shows all values with room at both sides."""
    low, high = min(values), max(values)
    if high / low < _LOGARITHMIC_FROM:
        room = 0.15 * (high - low) or 0.3 * high
        axes.set_xlim(max(0, low - room), high + room)
        return
    room = (high / low) ** 0.12
    axes.set_xscale("log")
    axes.set_xlim(low / room, high * room)
    axes.xaxis.set_major_locator(FixedLocator([t for t in _TICKS if low / room <= t <= high * room]))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_locator(NullLocator())


def plots_of(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Divide the runs into plots: one for each network of several runs, if several have them."""
    several = {network: same for network, same in by_network(runs).items() if len(same) > 1}
    if len(several) < 2:
        return {"": list(runs)}
    alone = [run for run in runs if run.network not in several]
    return {**several, **({"other networks": alone} if alone else {})}


def draw_epochs(
    runs: Sequence[Run], curves: Mapping[str, Curve], look: Mapping[str, Style], title: str = ""
) -> Figure:
    """Draw a line for every run.

    :param curves: by label; empty ones are left out.
    """
    drawn = figure(3.4 + 0.2 * len(runs))
    axes = drawn.add_subplot()
    for run in runs:
        if curve := curves[run.label]:
            style = look[run.label]
            axes.plot(
                [epoch for epoch, _ in curve],
                [100 * miou for _, miou in curve],
                color=style.colour,
                marker=style.marker,
                markersize=5,
                markevery=max(1, len(curve) // 10),
                linestyle=style.line,
                label=f"{run.label} (best {100 * max(miou for _, miou in curve):.1f})",
            )
    axes.set(xlabel="epochs", ylabel="validation mIoU [%]", title=title)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    drawn.legend(loc="outside lower center", ncols=1, handlelength=3.5)
    return drawn


@dataclass(frozen=True)
class Speeds:
    """Frames per second of networks, and how they were measured."""

    by_network: dict[str, float]
    """Frames per second by the network's name in the catalogue."""
    how: str
    """What was timed, and on which machine."""


def measured_speeds(path: Path, runs: Sequence[Run]) -> Speeds:
    """Read a JSON file of `benchmark --suite models` for the networks of the runs.

    All speeds are of one column: the first that has a value for every network found.

    :raises UserError: if it cannot be read or is no such file.
    """
    rows = read_benchmark(path)
    networks = dict.fromkeys(run.catalogue_name for run in runs)
    found = {name: rows[name] for name in networks if name is not None and name in rows}
    for column, how in _MEASURES:
        values = {name: float(row[column]) for name, row in found.items() if _is_speed(row.get(column))}
        if values and len(values) == len(found):
            fps = {name: 1e3 / value if column.endswith("_ms") else value for name, value in values.items()}
            return Speeds(fps, how)
    return Speeds({}, "")


def thesis_speeds(runs: Sequence[Run]) -> Speeds:
    """Return the thesis' speeds of those networks of the runs that it measured."""
    fps = {}
    for run in runs:
        model = MODELS[run.catalogue_name] if run.catalogue_name is not None else None
        if model is not None and model.thesis is not None:
            fps[model.name] = model.thesis.fps
    return Speeds(fps, "the thesis' RTX 2080 Ti, 1080×1920")


def _is_speed(value: Any) -> bool:
    """Return whether a value of the benchmark's file is a measured one: null stands for none."""
    return value is not None


def read_benchmark(path: Path) -> dict[str, dict[str, Any]]:
    """Return the rows of `kd_seg benchmark --suite models --json` by the network's name; raises UserError."""
    try:
        rows = json.loads(read_text(path))
        measured = [dict(row) for row in rows if "cpu_onnx_ms" in row]
        found = {str(row["name"]): row for row in measured}
    except OSError as error:
        raise UserError(f"--speeds {path} cannot be read: {reason(error)}") from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise UserError(_wrong_file(path)) from error
    if not found:
        raise UserError(_wrong_file(path))
    if len(found) < len(measured):
        raise UserError(f"--speeds {path} holds a network twice: give the file of one benchmark")
    for name, row in found.items():
        for column, _ in _MEASURES:
            _check_speed(path, name, column, row.get(column))
    return found


def _check_speed(path: Path, name: str, column: str, value: Any) -> None:
    """Refuse what no benchmark can have measured: null stands for a network that was not."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if value is None or (is_number and _FASTEST[0] <= value <= _FASTEST[1]):
        return
    raise UserError(
        f"--speeds {path} is damaged: {column} of {name} is {str(value)[:40]}, not a number within "
        f"{_FASTEST[0]:g}…{_FASTEST[1]:g}: measure again"
    )


def _wrong_file(path: Path) -> str:
    return f"--speeds {path} is no JSON of `kd_seg benchmark --suite models --json > FILE`"
