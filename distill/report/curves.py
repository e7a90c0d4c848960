"""The validation mIoU of a run over its epochs, read from what the run's logger has written."""

from __future__ import annotations

import csv
import math
from operator import attrgetter
from pathlib import Path
from typing import Final

from distill.report.runs import Run
from kd_seg_ros.common.errors import UserError, first_line
from kd_seg_ros.common.files import reason

_TAG: Final = "val/miou"
"""Name of the validation mIoU in the loggers' files."""
_ELSEWHERE: Final = {
    "wandb": "its curves are in Weights & Biases",
    "mlflow": "its curves are in MLflow",
}
"""What is said of the curves of a logger that writes no file that is read here."""

Curve = list[tuple[int, float]]
"""Pairs of the number of finished epochs and the mIoU (0…1) after them."""


def read_curve(folder: Path) -> Curve:
    """Read the validation mIoU of a run folder; empty if it has none.

    A resumed run writes some epochs again: the last value counts.

    :raises UserError: for a file that cannot be read or is damaged, in one line.
    """
    # A run may have been resumed with another logger.
    found = _of_csv(folder / "csv" / "metrics.csv") | _of_events(folder / "tensorboard")
    return sorted(found.items())


def where_curves_are(run: Run) -> str:
    """Say where the curves of a run are of which :func:`read_curve` finds none, and why."""
    logger = None if run.config is None else run.config.training.logger
    return _ELSEWHERE.get(logger or "", "no events of TensorBoard and no csv/metrics.csv lie in its folder")


def _of_events(events: Path) -> dict[int, float]:
    """Read the files of TensorBoard."""
    if not events.is_dir():
        return {}
    # Takes a second to import, which most uses of this package need not wait for.
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    everything = EventAccumulator(str(events), {"scalars": 0}, purge_orphaned_data=False).Reload()
    if not {_TAG, "epoch"} <= set(everything.Tags()["scalars"]):
        return {}
    epochs = {event.step: round(event.value) + 1 for event in everything.Scalars("epoch")}
    # Files are read in the order of their names, which is not always that of time.
    events_in_time = sorted(everything.Scalars(_TAG), key=attrgetter("wall_time"))
    return {epochs[event.step]: float(event.value) for event in events_in_time if event.step in epochs}


def _of_csv(path: Path) -> dict[int, float]:
    """Read the table of Lightning's CSV logger, whose rows have the values of one step each."""
    if not path.is_file():
        return {}
    found = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                epoch, value = row.get("epoch"), row.get(_TAG)
                if epoch and value and math.isfinite(float(value)):
                    found[int(epoch) + 1] = float(value)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {reason(error)}") from error
    except (ValueError, csv.Error) as error:
        raise UserError(f"{path} is damaged: {first_line(error)}") from error
    return found
