"""What the thesis reports for its experiments and what this machine's runs of them have reached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from distill.checkpoints.trained_images import IMAGES_KEY
from distill.checkpoints.training_cost import COST_KEY, TrainingCost, read_cost
from distill.config import Config, load_config
from distill.evaluation.evaluated_run import read_metrics
from distill.evaluation.metrics_json import FULL
from distill.experiments.matching import differences
from distill.experiments.thesis import ACDC_VAL, THESIS_REMARKS, Experiment
from kd_seg_ros.common.errors import UserError

COLUMNS: Final = ("full", "fog", "night", "rain", "snow")
"""The parts of ACDC's validation split: all of it, and each condition."""
METRICS: Final = "best.metrics.json"
"""File that ``kd_seg evaluate`` writes next to a run's best checkpoint."""


@dataclass(frozen=True)
class Outcome:
    """An experiment with the thesis' result and, where a run of it was evaluated, ours."""

    experiment: Experiment
    epochs: int
    """Epochs that the experiment's configuration trains for."""
    scores: Mapping[str, Mapping[str, Any]]
    """Our scores by part of the validation split, see docs/metrics.md; empty without an evaluated run."""
    differs: tuple[str, ...] = ()
    """Where our run is not the experiment of the thesis, or why it cannot be read; empty if it is."""
    cost: TrainingCost | None = None
    """What our run has cost; None if that was not recorded."""

    @property
    def miou(self) -> dict[str, float | None]:
        """Our mIoU, 0…1, by part of the validation split; None where it was not measured."""
        return {part: self.scores.get(part, {}).get("miou") for part in COLUMNS}

    @property
    def ece(self) -> float | None:
        """Our expected calibration error, 0…1, averaged over batches of 16 images as in the thesis."""
        value: float | None = self.scores.get("full", {}).get("ece_batched16")
        return value

    def document(self) -> dict[str, Any]:
        """Return the outcome for JSON: mIoU in percent for the thesis and within 0…1 for ours."""
        result = self.experiment.result
        return {
            "experiment": self.experiment.name,
            "where": self.experiment.where,
            "epochs": self.epochs,
            "thesis": None if result is None else asdict(result),
            "ours": {"miou": self.miou, "ece_batched16": self.ece} if self.scores else None,
            "differs": list(self.differs),
            "cost": None if self.cost is None else self.cost.document(),
        }


def outcome_of(experiment: Experiment) -> Outcome:
    """Collect what the thesis reports and what a run in the folder of the experiment's file has reached.

    Why a damaged metrics.json cannot be read stands in :attr:`Outcome.differs`.
    """
    config = load_config(experiment.file)
    path = config.run_folder / METRICS
    if not path.is_file():
        return Outcome(experiment, config.training.last_epoch, {})
    try:
        document = read_metrics(path)
    except UserError as error:
        return Outcome(experiment, config.training.last_epoch, {}, (str(error),))
    differing = _differs(experiment, path, document)
    cost = read_cost(document["model"].get(COST_KEY))
    return Outcome(experiment, config.training.last_epoch, document["scores"], differing, cost)


def _differs(experiment: Experiment, path: Path, document: Mapping[str, Any]) -> tuple[str, ...]:
    """Say where the run next to a metrics.json is not the experiment, and the data not the thesis'."""
    try:
        run: Config | None = load_config(path.parent / "config.yaml")
    except UserError:
        run = None
    differing = differences(experiment, run, document["model"].get(IMAGES_KEY))
    counts = {name: scores["images"] for name, scores in document["scores"].items() if name != FULL}
    if counts != ACDC_VAL:
        told = ", ".join(f"{count} {name}" for name, count in counts.items()) or "none"
        differing.append(f"it was evaluated on other images: {told}")
    trained_on = document["data"].get("trained_on")
    if trained_on:
        differing.append(f"it was evaluated on {trained_on} images that it was trained on")
    return tuple(differing)


def table(outcomes: Sequence[Outcome]) -> str:
    """Lay the outcomes out as text: mIoU in percent, and a second line where there is a run of ours.

    A run that is called like an experiment and is another one stands below the table, not next to the thesis.
    """
    form = "{:<35}{:<13}{:>7}" + "{:>7}" * len(COLUMNS) + "{:>9}"
    head = form.format("experiment", "thesis", "epochs", *COLUMNS, "ECE")
    lines = [head, "-" * len(head)]
    for outcome in outcomes:
        experiment, result = outcome.experiment, outcome.experiment.result
        reported = [""] * len(COLUMNS)
        ece = ""
        if result is not None:
            reported = [f"{getattr(result, part):.1f}" for part in COLUMNS]
            ece = _percent(result.ece)
        line = form.format(experiment.name, experiment.where, outcome.epochs, *reported, ece)
        lines.append(line.rstrip())
        if outcome.scores and not outcome.differs:
            lines += _ours(form, "", outcome)
    differing = [outcome for outcome in outcomes if outcome.differs]
    if differing:
        lines += ["", "Runs called like an experiment of the thesis that are not that experiment:"]
    for outcome in differing:
        if outcome.scores:
            lines += _ours(form, outcome.experiment.name, outcome)
        else:
            lines.append(outcome.experiment.name)
        lines += [f"    not the thesis' experiment: {text}" for text in outcome.differs]
    lines += [
        "",
        "mIoU and ECE in percent on ACDC's validation split; ECE as the thesis averages it, over batches of",
        "16 images. Cost: of the training alone, without validation and without the teacher's own training.",
        *THESIS_REMARKS,
        "Train one with",
        "  kd_seg experiments --run J --data.root data/acdc",
    ]
    return "\n".join(lines)


def _ours(form: str, title: str, outcome: Outcome) -> list[str]:
    """Return the lines of an evaluated run: its scores, and what its training has cost."""
    reached = [_percent(outcome.miou[part]) for part in COLUMNS]
    kind = "another" if outcome.differs else "ours"
    scores = form.format(title, kind, "", *reached, _percent(outcome.ece)).rstrip()
    cost = "not recorded" if outcome.cost is None else outcome.cost.text()
    return [scores, f"    cost: {cost}"]


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"
