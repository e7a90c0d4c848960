"""Rules with a promise, and the thresholds that keep them."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
import tiny_model
from hypothesis import given
from hypothesis import strategies as st

from kd_seg_ros.common.classes import CLASS_NAMES
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.inference.card import CardError, ModelCard
from kd_seg_ros.inference.risk import RiskThreshold, Rule, find_threshold, levels_for, parse_rule, risk_levels

ROAD = RiskThreshold(("road",), "false", 0.01, "full", 200, 0.005, 0.9, 120, "image")
PERSON = RiskThreshold(("person",), "miss", 0.02, "full", 150, 0.01, 0.8, 60, "drive")


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("road=0.01", Rule(("road",), "false", 0.01)),
        (" person:miss=2e-2 ", Rule(("person",), "miss", 0.02)),
        ("sidewalk+road=.5", Rule(("road", "sidewalk"), "false", 0.5)),
        ("traffic_light:false=0.1", Rule(("traffic light",), "false", 0.1)),
        ("traffic light=0.1", Rule(("traffic light",), "false", 0.1)),
        ("drivable=0.01", Rule(("road",), "false", 0.01)),
        ("vulnerable:miss=0.1", Rule(("person", "rider", "motorcycle", "bicycle"), "miss", 0.1)),
    ],
)
def test_what_a_rule_says(text: str, rule: Rule) -> None:
    assert parse_rule(text, CLASS_NAMES) == rule
    assert parse_rule(str(rule), CLASS_NAMES) == rule


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("road", "no rule like road=0.01"),
        ("", "no rule"),
        ("road=0.01=2", "no rule"),
        ("road=0", "between 0 and 1"),
        ("road=1", "between 0 and 1"),
        ("road=nan", "between 0 and 1"),
        ("road=1%", "between 0 and 1"),
        ("rood=0.1", "no class 'rood'; did you mean 'road'"),
        ("road+=0.1", "no class ''"),
        ("road:mis=0.1", "of the kind 'mis', not false or miss"),
        ("road:=0.1", "of the kind"),
        ("+".join(CLASS_NAMES) + "=0.1", "names all classes"),
    ],
)
def test_what_is_no_rule_is_refused_in_a_line(text: str, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        parse_rule(text, CLASS_NAMES)


def test_a_group_takes_the_classes_that_the_model_has() -> None:
    assert parse_rule("vulnerable=0.1", ("sky", "pedestrian", "bicyclist")).classes == (
        "pedestrian",
        "bicyclist",
    )
    with pytest.raises(UserError, match="none of the classes of 'vulnerable'"):
        parse_rule("vulnerable=0.1", ("sky", "road"))


def test_a_rule_about_false_pixels_concerns_its_group_and_one_about_missed_ones_all_others() -> None:
    levels = risk_levels([ROAD, PERSON], CLASS_NAMES)
    expected = np.full(19, 150)
    expected[0], expected[CLASS_NAMES.index("person")] = 200, 0
    assert (levels[:19] == expected).all()
    assert not levels[19:].any()
    assert not risk_levels([], CLASS_NAMES).any()


def test_the_threshold_of_a_rule_is_found_or_those_there_are_are_named() -> None:
    night = replace(ROAD, condition="night", level=230)
    known = [ROAD, PERSON, night]
    assert find_threshold(ROAD.rule, known, "full") == ROAD
    assert find_threshold(ROAD.rule, known, "night") == night
    with pytest.raises(UserError, match=r"has thresholds for road=0.01, person:miss=0.02"):
        find_threshold(Rule(("road",), "false", 0.05), known, "full")
    with pytest.raises(UserError, match="calibrated without --risk"):
        find_threshold(ROAD.rule, [], "full")


def test_the_card_keeps_them() -> None:
    card = tiny_model.card(8, 12, risk=(ROAD, PERSON))
    assert ModelCard.from_json(card.to_json()).risk == (ROAD, PERSON)
    old = json.loads(card.to_json())
    del old["risk"]
    assert ModelCard.from_json(json.dumps(old)).risk == ()


@given(
    name=st.sampled_from(sorted(asdict(ROAD))),
    value=st.sampled_from([None, -1, 1.5, "x", [], ["rood"], {}, True, [[]], float("1e400")]),
)
def test_a_damaged_threshold_is_refused(name: str, value: Any) -> None:
    if name == "condition" and value == "x":
        return
    values = json.loads(tiny_model.card(8, 12, risk=(ROAD,)).to_json())
    values["risk"][0][name] = value
    with pytest.raises(CardError, match="risk must be a list of thresholds"):
        ModelCard.from_json(json.dumps(values))


@pytest.mark.parametrize("risk", [7, {}, [7], [{}], [asdict(ROAD) | {"more": 1}], [None]])
def test_what_is_no_list_of_thresholds_is_refused(risk: Any) -> None:
    values = json.loads(tiny_model.card(8, 12).to_json()) | {"risk": risk}
    with pytest.raises(CardError, match="risk must be a list of thresholds"):
        ModelCard.from_json(json.dumps(values))


@pytest.mark.parametrize(
    "text", ["road=0.01 person:miss=0.02", "person:miss=0.02,road=0.010", " road=0.01,\n person:miss=0.02 "]
)
def test_rules_in_one_text(text: str) -> None:
    assert (levels_for(text, [ROAD, PERSON], CLASS_NAMES) == risk_levels([ROAD, PERSON], CLASS_NAMES)).all()


def test_no_rule_is_no_threshold() -> None:
    assert not levels_for("", [ROAD], CLASS_NAMES).any()
    with pytest.raises(UserError, match=r"promises nothing for sky=0\.1"):
        levels_for("sky=0.1", [ROAD], CLASS_NAMES)
