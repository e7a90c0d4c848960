"""What ``calibrate`` prints: the methods side by side, thresholds, classes with few pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Column, Table

from distill.calibration.calibrate import CalibrationResult, Scores
from distill.calibration.methods import METHODS
from distill.calibration.rare import FEWEST
from distill.evaluation.metrics_json import FULL
from kd_seg_ros.inference.risk import RiskThreshold


def print_comparison(scores: Mapping[str, Scores]) -> None:
    """Print one column per method: the scores over all reported images, then the ECE of each condition."""
    conditions = [condition for condition in next(iter(scores.values())) if condition != FULL]
    rows = [
        ("mIoU [%]", FULL, "miou", 100, 2),
        ("NLL (nats)", FULL, "nll", 1, 4),
        ("Brier score", FULL, "brier", 1, 4),
        ("ECE [%]", FULL, "ece", 100, 2),
    ]
    if len(conditions) > 1:  # a single one is the whole
        rows += [(f"ECE {condition} [%]", condition, "ece", 100, 2) for condition in conditions]
    table = Table("", *scores)
    for label, condition, key, factor, digits in rows:
        values = [of_method[condition][key] for of_method in scores.values()]
        table.add_row(label, *("–" if value is None else f"{factor * value:.{digits}f}" for value in values))
    Console().print(table)


def print_thresholds(thresholds: Sequence[RiskThreshold]) -> None:
    """Print the thresholds that were found for ``--risk``, one per line, if any."""
    if not thresholds:
        return
    table = Table(Column("rule", overflow="fold"), "weather", "confidence ≥", "wrong [%]", "kept [%]", "on")
    for found in thresholds:
        table.add_row(
            str(found.rule),
            found.condition,
            f"{found.level / 255:.3f}",
            f"{100 * found.measured:.2f}",
            f"{100 * found.coverage:.1f}",
            f"{found.units} {found.unit}s",
        )
    Console().print(table)


def print_rare_classes(result: CalibrationResult) -> None:
    """Say which classes had too few pixels for separate parameters."""
    classes = len(result.class_names)
    for name, rare in result.rare.items():
        if rare:
            print(
                f"{name}: {len(rare)} of {classes} classes keep the common temperature, with fewer than "
                f"{FEWEST} pixels {METHODS[name].classes_of} as it: {', '.join(rare)}"
            )
