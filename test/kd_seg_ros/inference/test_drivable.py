"""The map of drivable pixels, against a computation pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
import tiny_model

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.inference.drivable import (
    drivable_area,
    drivable_classes,
    require_classes,
    threshold_text,
)
from kd_seg_ros.inference.risk import RiskThreshold

RULES = (
    RiskThreshold(("road",), "false", 0.05, "full", 80, 0.04, 0.9, 120, "image"),
    RiskThreshold(("road",), "false", 0.01, "full", 200, 0.005, 0.8, 120, "image"),
    RiskThreshold(("road",), "false", 0.005, "night", 240, 0.005, 0.8, 120, "image"),
    RiskThreshold(("road",), "miss", 0.001, "full", 250, 0.001, 0.8, 120, "image"),
    RiskThreshold(("road", "sidewalk"), "false", 0.02, "full", 90, 0.01, 0.8, 120, "image"),
)
CARD = tiny_model.card(8, 12, risk=RULES)
PLAIN = tiny_model.card(8, 12)
RNG = np.random.default_rng(3)
MASK = RNG.choice(np.array([0, 1, 2, 18, 255], np.uint8), (24, 40))
CONFIDENCE = RNG.integers(0, 256, (24, 40), np.uint8)


@pytest.mark.parametrize(
    ("classes", "threshold", "levels"),
    [
        (("road",), "", {0: 200}),
        (("road", "sidewalk"), "", {0: 90, 1: 90}),
        (("road",), "0.5", {0: 128}),
        (("road",), 0.5, {0: 128}),
        (("road", "sidewalk"), "road@0.05 0.1", {0: 80, 1: 26}),
        (("sidewalk",), "", {1: 0}),
    ],
)
def test_drivable_unknown_and_other_pixels(
    classes: tuple[str, ...], threshold: float | str, levels: dict[int, int]
) -> None:
    found = drivable_area(classes, threshold, CARD).draw(MASK, CONFIDENCE)
    for row in range(24):
        for column in range(40):
            number, confidence = int(MASK[row, column]), int(CONFIDENCE[row, column])
            if number == 255 or (number in levels and confidence < levels[number]):
                expected = 127
            else:
                expected = 255 if number in levels else 0
            assert found[row, column] == expected


def test_inputs_stay_and_the_result_lands_where_it_is_wanted() -> None:
    mask, out = MASK.copy(), np.empty_like(MASK)
    assert drivable_area(("road",), "", CARD).draw(mask, CONFIDENCE, out) is out
    np.testing.assert_array_equal(mask, MASK)


def test_a_model_with_another_ignore_id() -> None:
    mask = np.array([[0, 1, 19]], np.uint8)
    area = drivable_area(("road",), 0.5, tiny_model.card(8, 12, ignore_id=19))
    assert area.draw(mask, np.array([[200, 200, 200]], np.uint8)).tolist() == [[255, 0, 127]]
    assert area.draw(mask, np.array([[100, 100, 100]], np.uint8)).tolist() == [[127, 0, 127]]


@pytest.mark.parametrize(
    ("text", "classes"),
    [
        ("drivable", ("road",)),
        ("terrain+road", ("road", "terrain")),
        ("road, traffic_light", ("road", "traffic light")),
        ("road, traffic light", ("road", "traffic light")),
        ("vulnerable road", ("road", "person", "rider", "motorcycle", "bicycle")),
        ("", ()),
    ],
)
def test_which_classes_are_drivable(text: str, classes: tuple[str, ...]) -> None:
    assert drivable_classes(text, PLAIN.class_names) == classes


def test_a_class_that_is_none_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(UserError, match="no class 'raod'; did you mean 'road'"):
        drivable_classes("raod", PLAIN.class_names)


def test_a_model_without_road_has_nothing_drivable_unless_its_classes_are_named() -> None:
    indoors = tiny_model.card(8, 12, class_names=("floor", "wall"), palette=((0, 0, 0), (9, 9, 9)))
    assert drivable_classes("drivable", indoors.class_names) == ()
    assert drivable_classes("floor", indoors.class_names) == ("floor",)
    with pytest.raises(UserError, match="name some of floor, wall"):
        require_classes("drivable", indoors)


def test_people_are_told_the_threshold_and_where_it_comes_from() -> None:
    assert threshold_text(drivable_area(("road",), "", CARD)) == "0.784 (road=0.01)"
    assert threshold_text(drivable_area(("road",), "", PLAIN)) == "0.000 (that of the mask)"
    assert threshold_text(drivable_area(("road",), 0.5, PLAIN)) == "0.502 (0.5)"
