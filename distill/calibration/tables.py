"""What ``calibrate`` shows: methods side by side, thresholds, classes with few pixels, what was stored."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Column, Table

from distill.calibration.calibrate import CalibrationResult, Scores
from distill.calibration.methods import METHODS
from distill.calibration.rare import FEWEST
from distill.calibration.risk_thresholds import RiskThresholds
from distill.checkpoints.stored_calibration import UNCALIBRATED
from distill.evaluation.metrics_json import FULL
from kd_seg_ros.inference.risk import RiskThreshold

_logger = logging.getLogger(__name__)


def print_result(result: CalibrationResult) -> None:
    """Print on how many images was fitted and measured, and all the tables."""
    print(
        f"fitted on {result.fitted_images} images, {result.fitted_pixels} pixels; "
        f"measured on {result.reported_images} images"
    )
    print_comparison(result.scores)
    print_rare_classes(result)
    print_thresholds(result.risk.thresholds)


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
    # Rules of many classes are broken between these, not within one.
    rules = [str(found.rule).replace("+", "+\n") for found in thresholds]
    longest = max(len(part) for part in "\n".join(rules).split("\n"))
    first = Column("rule", overflow="fold", min_width=min(longest, 30))
    table = Table(first, "weather", "confidence ≥", "wrong %", "kept %", "on")
    for rule, found in zip(rules, thresholds, strict=True):
        table.add_row(
            rule,
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


def log_risk(risk: RiskThresholds) -> int:
    """Log which rules are not promised; return 1 if any is not, else 0: the command's exit status."""
    for line in risk.pooled:
        _logger.info("too few images for a threshold of their own: %s", line)
    for line in risk.refusals:
        _logger.error("not promised: %s", line)
    return 1 if risk.refusals else 0


def log_stored(result: CalibrationResult, where: str) -> None:
    """Log what was stored: the method with its temperature, or why it was not kept and which would be.

    :param where: to follow the method's name.
    """
    value = f" {result.calibration.temperature:.4f}" if result.method == "temperature" else ""
    if result.kept:
        _logger.info("%s%s %s", result.method, value, where)
        return
    better = [name for name, fault in result.faults.items() if not fault]
    advice = f"; --method {' or '.join(better)} makes nothing worse" if better else ""
    _logger.warning(
        "%s%s is not kept, because it %s: the network stays uncalibrated%s",
        result.method,
        value,
        result.faults[result.method],
        advice,
    )


def draw_diagrams(path: Path, result: CalibrationResult, name: str) -> None:
    """Draw the reliability diagrams before and after the calibration.

    :param path: the picture to write.
    :param name: the model's name, for the title.
    :raises UserError: if the picture cannot be written.
    """
    from distill.evaluation.reliability_diagram import write_diagrams  # matplotlib takes a second

    method = result.method if result.kept else f"{result.method} (not kept)"
    title = f"{name}: {method}, {result.reported_images} images{' held out' * result.held_out}"
    write_diagrams(path, result.scores[UNCALIBRATED], result.scores[result.method], title)
    _logger.info("reliability diagrams before and after: %s", path)
