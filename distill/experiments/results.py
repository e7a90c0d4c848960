"""What the thesis reports for its experiments and what this machine's runs of them have reached."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from distill.config import load_config
from distill.experiments.thesis import Experiment

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
        }


def outcome_of(experiment: Experiment) -> Outcome:
    """Collect what the thesis reports and what a run in the folder of the experiment's file has reached."""
    config = load_config(experiment.file)
    try:
        scores = json.loads((config.run_folder / METRICS).read_text(encoding="utf-8"))["scores"]
    except (OSError, ValueError, KeyError):
        scores = {}
    return Outcome(experiment, config.training.epochs, scores)


def table(outcomes: Sequence[Outcome]) -> str:
    """Lay the outcomes out as text: mIoU in percent, and a second line where there is a run of ours."""
    form = "{:<35}{:<13}{:>7}" + "{:>7}" * len(COLUMNS) + "{:>9}"
    head = form.format("experiment", "thesis", "epochs", *COLUMNS, "ECE")
    lines = [head, "-" * len(head)]
    for outcome in outcomes:
        experiment, result = outcome.experiment, outcome.experiment.result
        reported = [""] * len(COLUMNS)
        ece = ""
        if result is not None:
            reported = [f"{getattr(result, part):.1f}" for part in COLUMNS]
            ece = _three_digits(result.ece)
        line = form.format(experiment.name, experiment.where, outcome.epochs, *reported, ece)
        lines.append(line.rstrip())
        if outcome.scores:
            reached = [_percent(outcome.miou[part]) for part in COLUMNS]
            lines.append(form.format("", "ours", "", *reached, _three_digits(outcome.ece)).rstrip())
    lines += [
        "",
        "mIoU in percent on ACDC's validation split; ECE as the thesis averages it, over batches of 16.",
        "Train one with",
        "  kd_seg experiments --run J --data.root data/acdc",
    ]
    return "\n".join(lines)


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"


def _three_digits(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
