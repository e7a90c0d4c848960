"""All plots of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from distill.report import epochs, score_plots, tradeoff
from distill.report.figures import Plot, save, styles
from distill.report.runs import Run
from distill.report.speeds import Speeds


@dataclass
class Plots:
    """By section of the page, and what had to be left out."""

    epochs: list[Plot] = field(default_factory=list)
    tradeoff: list[Plot] = field(default_factory=list)
    reliability: list[Plot] = field(default_factory=list)
    confusion: list[Plot] = field(default_factory=list)
    classes: list[Plot] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def make(
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
    for run in runs:
        text = f"Reliability diagrams of {run.label}: accuracy by confidence; ECE {run.scores()['ece']:.3f}"
        plots.reliability.append(save(score_plots.reliability(run), folder, f"reliability {run.label}", text))
    for run in shown:
        text = f"Confusion matrix of {run.label}"
        plots.confusion.append(save(score_plots.confusion(run), folder, f"confusion {run.label}", text))
    text = "Share of each class in the labelled pixels"
    plots.classes.append(save(score_plots.class_distribution(runs[0]), folder, "class distribution", text))
    return plots


def _epochs(plots: Plots, runs: Sequence[Run], folder: Path) -> None:
    """Draw mIoU over epochs."""
    curves = {run.label: epochs.read_curve(run.folder) for run in runs}
    if missing := [run.label for run in runs if not curves[run.label]]:
        plots.notes.append(
            f"mIoU over epochs is not known of {', '.join(missing)}: no TensorBoard events lie beside the "
            "metrics."
        )
    look = styles(runs)
    for network, same in epochs.plots_of(runs).items():
        if any(curves[run.label] for run in same):
            text = f"Validation mIoU over epochs{network and ', ' + network}"
            drawn = epochs.draw(same, curves, look, network)
            plots.epochs.append(save(drawn, folder, f"miou over epochs {network}", text))


def _tradeoff(
    plots: Plots, runs: Sequence[Run], references: Mapping[str, Run], speeds: Speeds, folder: Path
) -> None:
    """Draw mIoU against parameters and against frames per second."""
    look = styles(runs)
    parameters = {run.label: count / 1e6 for run in runs if (count := run.parameters()) is not None}
    fps = {
        run.label: speeds.by_network[name]
        for run in runs
        if (name := run.catalogue_name) is not None and name in speeds.by_network
    }
    for values, name, title in (
        (parameters, "parameters", "parameters [millions]"),
        (fps, "FPS", f"frames per second\n({speeds.how})"),
    ):
        if values:
            drawn = tradeoff.draw(runs, values, references, look, title)
            text = f"mIoU against {name}, with arrows from baseline to distilled"
            plots.tradeoff.append(save(drawn, folder, f"miou over {name}", text))
        if missing := [run.label for run in runs if run.label not in values]:
            how = (
                ": only networks of `kd_seg models` are timed; measure them with "
                "`kd_seg benchmark --suite models --json > FILE` and give --fps FILE."
                if values is fps
                else "."
            )
            plots.notes.append(f"mIoU against {name} lacks {', '.join(missing)}{how}")
