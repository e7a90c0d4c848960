"""Thresholds for rules, from images whose counts are known."""

from __future__ import annotations

import numpy as np
import pytest

from distill.calibration.risk_thresholds import find_thresholds
from distill.evaluation.risk_scores import RiskScores, check_promises
from kd_seg_ros.inference.risk import Rule, Unit

NAMES = ("road", "person", "sky")
FALSE_ROAD = Rule(("road",), "false", 0.1)
MISSED = Rule(("person",), "miss", 0.1)


def scores_of(
    images: int, conditions: tuple[str, ...] = ("fog",), rules: tuple[Rule, ...] = (FALSE_ROAD,)
) -> RiskScores:
    """Of each image's 10 pixels of road, those of confidence 50 are wrong: 5 of them, the rest is right."""
    scores = RiskScores(rules, NAMES)
    mask = np.zeros((1, 10), np.uint8)
    confidence = np.array([[50] * 5 + [200] * 5], np.uint8)
    labels = np.array([[1] * 5 + [0] * 5], np.uint8)
    for number in range(images):
        condition = conditions[number % len(conditions)]
        scores.update(condition, f"drive {number // 4}", labels, mask, confidence)
    return scores


def test_the_lowest_threshold_without_the_wrong_pixels_is_taken() -> None:
    found = find_thresholds(scores_of(40), "image")
    full, fog = found.thresholds
    assert (full.condition, fog.condition) == ("full", "fog")
    assert (full.level, full.measured, full.coverage, full.units) == (51, 0.0, 0.5, 40)
    assert not found.refusals
    assert not found.pooled


def test_missed_pixels_are_counted_against_those_of_the_group() -> None:
    found = find_thresholds(scores_of(40, rules=(MISSED,)), "image")
    assert found.thresholds[0].level == 51  # above, the mask is no longer sure that persons are road
    assert found.thresholds[0].coverage == 0.5


@pytest.mark.parametrize(("unit", "units"), [("image", 40), ("drive", 10)])
def test_the_unit_is_an_image_or_a_drive(unit: Unit, units: int) -> None:
    assert find_thresholds(scores_of(40), unit).thresholds[0].units == units


def test_too_few_images_are_told_with_how_many_are_needed() -> None:
    found = find_thresholds(scores_of(8), "image")
    assert found.thresholds == []
    assert found.refusals == ["road=0.1 needs at least 9 images whose masks show road, and there are 8"]


def test_a_class_that_never_occurs_is_told() -> None:
    rule = Rule(("sky",), "miss", 0.5)
    assert find_thresholds(scores_of(8, rules=(rule,)), "drive").refusals == [
        "sky:miss=0.5 needs at least 1 drives whose labels show sky, and there are 0"
    ]


def test_weathers_with_too_few_images_are_pooled_and_it_is_said() -> None:
    found = find_thresholds(scores_of(16, ("fog", "night")), "image")
    assert [threshold.condition for threshold in found.thresholds] == ["full"]
    assert found.pooled == ["road=0.1: fog, night by the threshold of all images together"]


def test_a_risk_that_no_threshold_meets_is_told_with_the_least_there_is() -> None:
    scores = RiskScores((FALSE_ROAD,), NAMES)
    sure, labels = np.full((1, 4), 255, np.uint8), np.array([[0, 0, 0, 1]], np.uint8)
    for _ in range(99):
        scores.update("fog", "a", labels, np.zeros((1, 4), np.uint8), sure)
    (refusal,) = find_thresholds(scores, "image").refusals
    assert "no threshold of the confidence promises so little" in refusal
    assert refusal.endswith("on these 99 images is 0.2575")  # (99 / 4 + 1) / 100


def test_other_images_show_whether_a_promise_holds() -> None:
    thresholds = find_thresholds(scores_of(40), "image").thresholds
    other = scores_of(6, ("fog", "night"))
    entries = check_promises(other, thresholds)
    assert [(entry["threshold_of"], entry["condition"]) for entry in entries] == [
        ("full", "full"),
        ("full", "fog"),
        ("full", "night"),
        ("fog", "fog"),
    ]
    assert {entry["measured"] for entry in entries} == {0.0}
    assert [entry["units"] for entry in entries] == [6, 3, 3, 3]
