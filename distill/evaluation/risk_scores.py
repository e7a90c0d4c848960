"""Running counts of what thresholds of the confidence keep, by image: to calibrate rules and to check them.

Rules and thresholds are described in :mod:`kd_seg_ros.inference.risk`, the losses in
:mod:`distill.metrics.risk_counts`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.evaluation.metrics_json import FULL, condition_key
from distill.metrics.risk_counts import LEVELS, RiskCounts, count_risk
from kd_seg_ros.inference.risk import RiskThreshold, Rule, Unit


@dataclass(frozen=True)
class RiskTable:
    """The losses of a rule on n images or drives, by threshold 0…256."""

    losses: NDArray[np.float64]
    """Mean loss of each unit's images, float64 [n, 257], 0…1."""
    kept: NDArray[np.int64]
    """Pixels that keep their class, of all units together, int64 [257]."""

    def __len__(self) -> int:
        return len(self.losses)

    def measured(self, level: int) -> float:
        """Return the mean loss of the units at a threshold, 0…1."""
        return float(self.losses[:, level].mean())

    def coverage(self, level: int) -> float:
        """Return the share of the pixels concerned that a threshold keeps, 0…1; 0 if there are none."""
        return float(self.kept[level] / max(self.kept[0], 1))


class RiskScores:
    """Counts images for some rules; some kilobytes per image and rule.

    :param class_names: by trainId.
    """

    def __init__(self, rules: Sequence[Rule], class_names: Sequence[str]) -> None:
        self.rules = tuple(dict.fromkeys(rules))
        self._groups = [np.zeros(256, bool) for _ in self.rules]
        for rule, group in zip(self.rules, self._groups, strict=True):
            group[[index for index, name in enumerate(class_names) if name in rule.classes]] = True
        self._images: list[tuple[str, str, list[RiskCounts]]] = []

    def update(
        self,
        condition: str,
        drive: str,
        labels: NDArray[np.uint8],
        mask: NDArray[np.uint8],
        confidence: NDArray[np.uint8],
    ) -> None:
        """Add an image.

        :param condition: its weather; it counts here and in the total.
        :param drive: names the drive it is from.
        :param labels: trainIds, 255 without a label, uint8 [H, W].
        :param mask: classes, uint8 [H, W].
        :param confidence: round(255 · p), uint8 [H, W].
        """
        counts = [
            count_risk(mask, confidence, labels, group, rule.kind)
            for rule, group in zip(self.rules, self._groups, strict=True)
        ]
        self._images.append((condition_key(condition), drive, counts))

    @property
    def conditions(self) -> list[str]:
        """Return ``full`` and the conditions of the images, in the order in which they came."""
        return list(dict.fromkeys([FULL, *(condition for condition, _, _ in self._images)]))

    def table(self, rule: Rule, condition: str, unit: Unit) -> RiskTable:
        """Return the losses of a rule on the images that say anything about it.

        :param condition: a weather, or ``full``.
        :param unit: what one row of the table is.
        """
        index = self.rules.index(rule)
        units: dict[Any, list[NDArray[np.float64]]] = {}
        kept = np.zeros(LEVELS, np.int64)
        for number, (own, drive, of_rules) in enumerate(self._images):
            counts = of_rules[index]
            if condition in (FULL, own) and counts.applies(rule.kind):
                key = number if unit == "image" else (own, drive)
                units.setdefault(key, []).append(counts.losses(rule.kind))
                kept += counts.kept
        rows = [np.mean(losses, axis=0) for losses in units.values()]
        return RiskTable(np.array(rows).reshape(-1, LEVELS), kept)


def check_promises(scores: RiskScores, thresholds: Sequence[RiskThreshold]) -> list[dict[str, Any]]:
    """Return how thresholds do on images, as metrics.json has it: one entry per threshold and condition.

    A threshold found for one weather is checked on images of that weather, one found for all on each.

    :param scores: the images, counted for the thresholds' rules.
    """
    entries = []
    for threshold in thresholds:
        for condition in scores.conditions if threshold.condition == FULL else [threshold.condition]:
            table = scores.table(threshold.rule, condition, threshold.unit)
            if not len(table):
                continue
            entries.append(
                {
                    "rule": str(threshold.rule),
                    "threshold_of": threshold.condition,
                    "condition": condition,
                    "level": threshold.level,
                    "promised": threshold.risk,
                    "measured": table.measured(threshold.level),
                    "coverage": table.coverage(threshold.level),
                    "unit": threshold.unit,
                    "units": len(table),
                }
            )
    return entries
