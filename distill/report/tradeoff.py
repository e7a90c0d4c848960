"""mIoU against parameters and frames per second (figures 4.4 and 4.5), with what distillation adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from distill.report.figures import Style, figure
from distill.report.runs import Run
from distill.report.table import signed

_TICKS: Final = tuple(digit * 10.0**power for power in range(-2, 4) for digit in (1, 2, 3, 5, 7))
_LOGARITHMIC_FROM: Final = 4
"""Greatest over least value from which the horizontal scale is logarithmic."""


def draw(
    runs: Sequence[Run],
    values: Mapping[str, float],
    references: Mapping[str, Run],
    look: Mapping[str, Style],
    title: str,
) -> Figure:
    """Draw a point for every run that has a value, and an arrow to it from the baseline of its network.

    :param values: where a run stands on the horizontal axis, by label; above 0.
    :param title: of that axis.
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
    _scale(axes, [values[run.label] for run in shown])
    axes.margins(y=0.15)
    axes.set(xlabel=title, ylabel="mIoU [%]")
    drawn.legend(loc="outside lower center", ncols=1, handlelength=1)
    return drawn


def _place(run: Run, values: Mapping[str, float]) -> tuple[float, float]:
    return values[run.label], 100 * run.miou


def _arrow(
    axes: Axes, start: tuple[float, float], end: tuple[float, float], colour: str, number: int
) -> None:
    """Draw arrow 0, 1, … of a baseline, each bent in another way: runs of one network stand above another."""
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


def _scale(axes: Axes, values: Sequence[float]) -> None:
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
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
