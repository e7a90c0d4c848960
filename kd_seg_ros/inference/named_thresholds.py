"""Thresholds of the confidence as users give them: numbers, names of rules in the model card, or both.

``0.4`` concerns all classes. ``road@0.01`` takes the threshold that calibration found for the rule
``road=0.01`` (:mod:`kd_seg_ros.inference.risk`). Several in one text are separated by spaces or commas, and
the highest counts for each class. No ROS in here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.inference.card import ModelCard
from kd_seg_ros.inference.risk import levels_for
from kd_seg_ros.inference.thresholds import MinConfidenceLevels, min_confidence_levels


@dataclass(frozen=True)
class NamedThreshold:
    """What a number or a text asks for."""

    levels: MinConfidenceLevels
    """Lowest published confidence, 0…255, with which a pixel keeps its class, by class id, uint8 [256]."""
    highest: float
    """The highest threshold in it, 0…1: with so much confidence a pixel of any class keeps it."""


def named_threshold(value: float | str, card: ModelCard) -> NamedThreshold:
    """Read a threshold.

    :param value: a number, 0…1, or a text of numbers and rules; an empty one asks for nothing.
    :param card: of the model, with the thresholds of its rules.
    :raises UserError: for a number outside 0…1, what is no rule, or a rule that was not calibrated.
    """
    parts = [part for part in re.split(r"[\s,]+", str(value)) if part]
    numbers, rules = [0.0], list[str]()
    for part in parts:
        number = _number(part)
        if number is None:
            rules.append(part)
        elif 0 <= number <= 1:
            numbers.append(number)
        else:
            raise UserError(f"{part} is not a confidence, 0.0 to 1.0")
    of_rules = levels_for(" ".join(rules), card.risk, card.class_names)
    levels = np.maximum(min_confidence_levels(max(numbers)), of_rules)
    return NamedThreshold(levels, max(*numbers, int(of_rules.max()) / 255))


def _number(text: str) -> float | None:
    """Return the number that a text is; None if it is none."""
    try:
        return float(text)
    except ValueError:
        return None
