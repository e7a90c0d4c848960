"""All plots of a report, and those of a single run's scores: reliability, confusion, class distribution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from distill.common.formats import error_percent
from distill.common.palette import palette
from distill.evaluation.reliability_diagram import draw_grid, draw_legend
from distill.report.class_chart import lowest_power, percent
from distill.report.comparison_plots import Speeds, draw_epochs, draw_tradeoff, plots_of
from distill.report.curves import Curve, read_curve, where_curves_are
from distill.report.domain import domain_plot
from distill.report.figures import BLUE, Plot, figure, save, styles
from distill.report.gradients import draw_gradients, read_gradients, warnings_of
from distill.report.risk_coverage import risk_coverage_plot
from distill.report.runs import Run
from kd_seg_ros.common.errors import UserError

_SHOWN: Final = 0.005
"""Shares of a class's pixels below this have no number in a confusion matrix."""
_SHADES: Final = LinearSegmentedColormap.from_list("blues", ["#ffffff", "#56B4E9", BLUE, "#00284a"])


@dataclass
class Plots:
    """The plots by section of the page, and notes on what had to be left out."""

    epochs: list[Plot] = field(default_factory=list)
    tradeoff: list[Plot] = field(default_factory=list)
    cost: list[Plot] = field(default_factory=list)
    reliability: list[Plot] = field(default_factory=list)
    domain: list[Plot] = field(default_factory=list)
    confusion: list[Plot] = field(default_factory=list)
    classes: list[Plot] = field(default_factory=list)
    gradients: list[Plot] = field(default_factory=list)
    gradient_warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def make_plots(
    runs: Sequence[Run],
    references: Mapping[str, Run],
    shown: Sequence[Run],
    speeds: Speeds,
    folder: Path,
) -> Plots:
    """Draw everything and write it into a folder.

    :param shown: the runs whose confusion matrices are drawn.
    :raises UserError: if a file cannot be written.
    """
    plots = Plots()
    _epochs(plots, runs, folder)
    if len(runs) > 1:
        _tradeoff(plots, runs, references, speeds, folder)
        _cost(plots, runs, references, folder)
    for run in runs:
        _gradients(plots, run, folder)
        error = error_percent(run.ece)
        text = f"Reliability diagrams of {run.label}: accuracy by confidence; ECE {error} %"
        plots.reliability.append(save(reliability(run), folder, f"reliability {run.label}", text))
        curves = risk_coverage_plot(run)
        if curves is not None:
            text = f"Risk-coverage curves of {run.label}: wrong pixels among the most confident ones"
            plots.reliability.append(save(curves, folder, f"risk coverage {run.label}", text))
        distances = domain_plot(run)
        if distances is not None:
            text = f"Domain distances of {run.label}: share of images by distance from those of calibration"
            plots.domain.append(save(distances, folder, f"domain distance {run.label}", text))
    for run in shown:
        text = f"Confusion matrix of {run.label}"
        plots.confusion.append(save(confusion(run), folder, f"confusion {run.label}", text))
    text = "Share of each class in the labelled pixels"
    plots.classes.append(save(class_distribution(runs[0]), folder, "class distribution", text))
    return plots


def _epochs(plots: Plots, runs: Sequence[Run], folder: Path) -> None:
    """Draw mIoU over epochs."""
    curves: dict[str, Curve] = {}
    missing: dict[str, list[str]] = {}
    for run in runs:
        try:
            curves[run.label] = read_curve(run.folder)
            why = "" if curves[run.label] else where_curves_are(run)
        except UserError as error:
            curves[run.label], why = [], str(error)
        if why:
            missing.setdefault(why, []).append(run.label)
    for why, labels in missing.items():
        plots.notes.append(f"mIoU over epochs is not known of {', '.join(labels)}: {why}.")
    look = styles(runs)
    for network, same in plots_of(runs).items():
        if any(curves[run.label] for run in same):
            text = f"Validation mIoU over epochs{network and ', ' + network}"
            drawn = draw_epochs(same, curves, look, network)
            plots.epochs.append(save(drawn, folder, f"miou over epochs {network}", text))


def _tradeoff(
    plots: Plots, runs: Sequence[Run], references: Mapping[str, Run], speeds: Speeds, folder: Path
) -> None:
    """Draw mIoU against parameters and against frames per second."""
    look = styles(runs)
    parameters, fps = {}, {}
    for run in runs:
        count, network = run.parameters(), run.catalogue_name
        if count is not None:
            parameters[run.label] = count / 1e6
        if network in speeds.by_network:
            fps[run.label] = speeds.by_network[network]
    for values, name, title in (
        (parameters, "parameters", "parameters [millions]"),
        (fps, "FPS", f"frames per second\n({speeds.how})"),
    ):
        if values:
            drawn = draw_tradeoff(runs, values, references, look, title)
            text = f"mIoU against {name}, with arrows from baseline to distilled"
            plots.tradeoff.append(save(drawn, folder, f"miou over {name}", text))
        missing = [run.label for run in runs if run.label not in values]
        if missing:
            how = (
                ": only networks of `kd_seg models` are timed; measure them with "
                "`kd_seg benchmark --suite models --json > FILE` and give --speeds FILE."
                if values is fps
                else "."
            )
            plots.notes.append(f"mIoU against {name} lacks {', '.join(missing)}{how}")


def _cost(plots: Plots, runs: Sequence[Run], references: Mapping[str, Run], folder: Path) -> None:
    """Draw mIoU against the seconds of training, one plot for each device, and against the images seen."""
    look = styles(runs)
    values: dict[str, dict[str, float]] = {}
    for run in runs:
        cost = run.cost
        if cost is not None and cost.images and cost.seconds > 0:
            values.setdefault(f"seconds of training\n({cost.device})", {})[run.label] = cost.seconds
            values.setdefault("images seen in training", {})[run.label] = cost.images
    for title, by_run in values.items():
        drawn = draw_tradeoff(runs, by_run, references, look, title)
        text = f"mIoU against {title.partition(chr(10))[0]}, with arrows from baseline to distilled"
        plots.cost.append(save(drawn, folder, f"miou over {title}", text))


def _gradients(plots: Plots, run: Run, folder: Path) -> None:
    """Draw the gradients of a run's terms, if it has measured them, and list what was out of bounds."""
    try:
        measured = read_gradients(run.folder)
    except UserError as error:
        plots.notes.append(f"The gradients of {run.label} are left out: {error}.")
        return
    if measured:
        text = f"Gradient of each term of {run.label} as a multiple of the labels', over the steps"
        drawn = draw_gradients(measured, run.label)
        plots.gradients.append(save(drawn, folder, f"gradients {run.label}", text))
        plots.gradient_warnings += [f"{run.label}: {warning}" for warning in warnings_of(measured)]


def reliability(run: Run) -> Figure:
    """Draw accuracy against confidence over all images and for each condition."""
    diagrams = {condition: run.scores(condition) for condition in run.columns}
    across = min(2, len(diagrams))
    rows = -(-len(diagrams) // across)
    drawn = figure(1 + 2.9 * rows, 1 + 2.5 * across)
    drawn.suptitle(run.label)
    draw_grid(drawn, diagrams, across)
    draw_legend(drawn)
    return drawn


def confusion(run: Run) -> Figure:
    """Draw where the pixels of each class go, in percent of the class."""
    table = np.array(run.scores()["confusion"], np.float64)
    names = [*run.class_names, "abstained"]
    if not table[:, -1].any():
        table, names = table[:, :-1], names[:-1]
    total = table.sum(axis=1, keepdims=True)
    shares = np.divide(table, total, out=np.full(table.shape, np.nan), where=total > 0)
    classes = len(shares)
    side = 1.5 + 0.29 * classes
    drawn = figure(side, side + 0.29 * (len(names) - classes))
    axes = drawn.add_subplot()
    axes.pcolormesh(np.nan_to_num(shares), cmap=_SHADES, vmin=0, vmax=1, edgecolors="white", linewidth=0.5)
    for row, column in zip(*np.nonzero(np.nan_to_num(shares) >= _SHOWN), strict=True):
        value = shares[row, column]
        axes.text(
            column + 0.5,
            row + 0.5,
            f"{100 * value:.0f}",
            ha="center",
            va="center",
            fontsize=7,
            color="white" if value > 0.4 else "black",
        )
    axes.set_xticks(np.arange(len(names)) + 0.5, names, rotation=90, fontsize=8)
    axes.set_yticks(np.arange(classes) + 0.5, run.class_names, fontsize=8)
    axes.set(xlabel="predicted", ylabel="label", title=run.label, aspect="equal")
    axes.invert_yaxis()
    axes.grid(False)
    axes.tick_params(length=0)
    return drawn


def class_distribution(run: Run) -> Figure:
    """Draw each class's share of the labelled pixels, logarithmic as in :mod:`distill.report.class_chart`."""
    names = run.class_names
    shares = class_shares(run)
    lowest = 10.0 ** lowest_power(tuple(shares.tolist()))
    drawn = figure(0.9 + 0.25 * len(names))
    axes = drawn.add_subplot()
    colours = (np.array(palette(names)) / 255).tolist()
    rows = np.arange(len(names))
    axes.barh(rows, shares, color=colours, edgecolor="#555555", linewidth=0.6, height=0.7)
    axes.set_xscale("log")
    axes.set_xlim(lowest, 1)
    for row, share in enumerate(shares.tolist()):
        axes.annotate(
            percent(share),
            (max(share, lowest), row),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
            annotation_clip=False,
        )
    axes.set_yticks(rows, names)
    axes.tick_params(axis="y", length=0)
    axes.minorticks_off()
    axes.grid(False, axis="y")
    axes.set_xlabel("share of the labelled pixels, logarithmic")
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=None))
    axes.invert_yaxis()
    return drawn


def class_shares(run: Run) -> NDArray[np.float64]:
    """Return the share of each class in the labelled pixels, float64 [C], 0…1."""
    pixels = np.array(run.scores()["confusion"], np.int64).sum(axis=1)
    return np.asarray(pixels / pixels.sum(), np.float64)
