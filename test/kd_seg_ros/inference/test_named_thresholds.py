"""Thresholds given as numbers, as rules of the card, or both."""

from __future__ import annotations

import numpy as np
import pytest
import tiny_model

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.inference.named_thresholds import named_threshold
from kd_seg_ros.inference.risk import RiskThreshold

ROAD = RiskThreshold(("road",), "false", 0.01, "full", 204, 0.005, 0.9, 120, "image")
PERSON = RiskThreshold(("person",), "miss", 0.02, "full", 51, 0.01, 0.8, 60, "drive")
CARD = tiny_model.card(8, 12, risk=(ROAD, PERSON))
NAMES = CARD.class_names


@pytest.mark.parametrize("value", [0.4, "0.4", " 0.4, 0.1 "])
def test_a_number_concerns_every_class(value: float | str) -> None:
    found = named_threshold(value, CARD)
    assert (found.levels == 102).all()
    assert found.highest == 0.4


@pytest.mark.parametrize("text", ["road@0.01", "road=0.01", "drivable@0.010", "road:false@1e-2"])
def test_a_rule_concerns_its_classes_with_the_threshold_of_the_card(text: str) -> None:
    found = named_threshold(text, CARD)
    assert found.levels[NAMES.index("road")] == 204
    assert np.count_nonzero(found.levels) == 1
    assert found.highest == 0.8


def test_the_highest_of_several_counts_for_each_class() -> None:
    found = named_threshold("0.1 road@0.01, person:miss@0.02", CARD)
    expected = np.full(256, 26)
    expected[:19] = 51
    expected[NAMES.index("road")], expected[NAMES.index("person")] = 204, 26
    np.testing.assert_array_equal(found.levels, expected)


@pytest.mark.parametrize("value", [0.0, "", " "])
def test_nothing_asks_for_nothing(value: float | str) -> None:
    found = named_threshold(value, CARD)
    assert not found.levels.any()
    assert found.highest == 0.0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1.5", "1.5 is not a confidence"),
        ("nan", "nan is not a confidence"),
        ("-0.1", "-0.1 is not a confidence"),
        ("high", "'high' is no rule like road=0.01"),
        ("rood@0.01", "no class 'rood'; did you mean 'road'"),
        ("road@0.05", "promises nothing for road=0.05; it has thresholds for road=0.01, person:miss=0.02"),
        ("road@0.01@2", "is no rule"),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_line(text: str, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        named_threshold(text, CARD)
