"""Thresholds of the published confidence that keep what a rule promises: `kd_seg calibrate --risk`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from distill.calibration.risk_control import control_risk, fewest_units, lowest_bound
from distill.evaluation.metrics_json import FULL
from distill.evaluation.risk_scores import RiskScores, RiskTable
from kd_seg_ros.inference.risk import RiskThreshold, Rule, Unit

HIGHEST_LEVEL = 255
"""Highest threshold that keeps anything."""


class RiskThresholds(NamedTuple):
    """What could be promised, and what could not."""

    thresholds: list[RiskThreshold]
    """Those of all images together come first, then those of single conditions."""
    refusals: list[str]
    """For each rule that cannot be promised over all images: why, in a sentence."""
    pooled: list[str]
    """For each rule the conditions with too few images for a threshold of their own, in a sentence."""


def find_thresholds(scores: RiskScores, unit: Unit) -> RiskThresholds:
    """Find the lowest threshold for each rule: over all images, and per condition where images suffice.

    :param scores: held-out images, counted for the rules; not those the calibration was fitted on.
    :param unit: what may be exchanged with one another.
    """
    result = RiskThresholds([], [], [])
    for rule in scores.rules:
        lacking = []
        for condition in scores.conditions:
            table = scores.table(rule, condition, unit)
            level = control_risk(table.losses[:, : HIGHEST_LEVEL + 1], rule.risk)
            if level is not None:
                result.thresholds.append(_threshold(rule, condition, level, unit, table))
            elif condition == FULL:
                result.refusals.append(_why_not(rule, unit, table))
                break
            else:
                lacking.append(condition)
        if lacking:
            result.pooled.append(f"{rule}: {', '.join(lacking)} by the threshold of all images together")
    result.thresholds.sort(key=lambda threshold: threshold.condition != FULL)
    return result


def _threshold(rule: Rule, condition: str, level: int, unit: Unit, table: RiskTable) -> RiskThreshold:
    return RiskThreshold(
        classes=rule.classes,
        kind=rule.kind,
        risk=rule.risk,
        condition=condition,
        level=level,
        measured=table.measured(level),
        coverage=table.coverage(level),
        units=len(table),
        unit=unit,
    )


def _why_not(rule: Rule, unit: Unit, table: RiskTable) -> str:
    """Say why no threshold promises a rule."""
    fewest, seen = fewest_units(rule.risk), "labels" if rule.kind == "miss" else "masks"
    if len(table) < fewest:
        return (
            f"{rule} needs at least {fewest} {unit}s whose {seen} show {' or '.join(rule.classes)}, "
            f"and there are {len(table)}"
        )
    lowest = lowest_bound(table.losses[:, : HIGHEST_LEVEL + 1])
    return (
        f"{rule}: no threshold of the confidence promises so little; the least that one can promise on these "
        f"{len(table)} {unit}s is {np.ceil(1e4 * lowest) / 1e4:g}"
    )
