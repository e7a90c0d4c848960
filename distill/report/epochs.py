"""mIoU over the epochs of training (figures 4.2 and 4.3), from the event files of TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from distill.report.comparisons import by_network
from distill.report.figures import Style, figure
from distill.report.runs import Run

_TAG = "val/miou"
Curve = list[tuple[int, float]]
"""Epochs done, and the mIoU (0…1) after them."""


def read_curve(folder: Path) -> Curve:
    """Read the validation mIoU of a run folder; empty if it has none."""
    events = folder / "tensorboard"
    if not events.is_dir():
        return []
    # Takes a second to import, which most uses of this package need not wait for.
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    everything = EventAccumulator(str(events), {"scalars": 0}, purge_orphaned_data=False).Reload()
    if not {_TAG, "epoch"} <= set(everything.Tags()["scalars"]):
        return []
    epochs = {event.step: round(event.value) + 1 for event in everything.Scalars("epoch")}
    # A resumed run writes some epochs again: the last word counts. Files are read in the order of their
    # names, which is not always that of time.
    words = sorted(everything.Scalars(_TAG), key=lambda event: event.wall_time)
    found = {epochs[e.step]: float(e.value) for e in words if e.step in epochs}
    return sorted(found.items())


def plots_of(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Divide the runs into plots: one for each network of several runs, if several have them."""
    several = {network: same for network, same in by_network(runs).items() if len(same) > 1}
    if len(several) < 2:
        return {"": list(runs)}
    alone = [run for run in runs if run.network not in several]
    return {**several, **({"other networks": alone} if alone else {})}


def draw(
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
