"""Thresholds and rules that are set while the node runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tiny_model

pytest.importorskip("rclpy")

from dds import rgb_message, wait_until
from held_engine import HEIGHT, WIDTH, picture
from rclpy.parameter import Parameter

from kd_seg_ros.inference.risk import RiskThreshold


def test_unsure_pixels_have_no_class_from_the_moment_it_is_asked_for(held_node: Any) -> None:
    masks: list[np.ndarray] = []
    held_node._outputs.publish = lambda *_: masks.append(held_node._outputs._buffers.mask.copy())
    held_node._engine.go_on.set()
    image = picture(0)
    mask, confidence = tiny_model.expected(image)
    settings = ((0.0, 0.0), (0.5, 0.0), (0.1, 0.0), (0.1, 0.9), (0.95, 0.9))
    for second, (threshold, of_cars) in enumerate(settings, start=1):
        results = held_node.node.set_parameters(
            [
                Parameter("min_confidence", value=threshold),
                Parameter("class_min_confidence.traffic_light", value=of_cars),
            ]
        )
        assert all(result.successful for result in results)
        held_node._on_image(rgb_message(image, second))
        assert wait_until(lambda: len(masks) == second)  # noqa: B023
        lowest = np.where(mask == 6, max(threshold, of_cars), threshold)
        np.testing.assert_array_equal(masks[-1], np.where(confidence / 255 < lowest, 255, mask))


def test_rules_of_the_card_hold_from_the_moment_they_are_asked_for(held_node: Any) -> None:
    node, thresholds = held_node.node, held_node._thresholds
    promise = RiskThreshold(("traffic light",), "false", 0.1, "full", 180, 0.05, 0.9, 99, "image")
    thresholds._card = tiny_model.card(HEIGHT, WIDTH, risk=(promise,))

    def answer(text: str) -> tuple[bool, str]:
        (result,) = node.set_parameters([Parameter("risk", value=text)])
        return result.successful, result.reason

    assert answer("traffic_light=0.1") == (True, "")
    assert thresholds.levels[6] == 180
    assert not thresholds.levels[:6].any()
    refused, reason = answer("road=0.1")
    assert not refused
    assert reason.startswith(
        "parameter 'risk': the model file promises nothing for road=0.1; it has thresholds"
    )
    assert thresholds.levels[6] == 180, "what was refused changes nothing"
    node.set_parameters([Parameter("min_confidence", value=0.9)])
    assert (thresholds.levels[6], thresholds.levels[0]) == (230, 230), "the higher one counts"
    assert answer("") == (True, "")


def test_a_rule_may_stand_for_a_number(held_node: Any) -> None:
    node, thresholds = held_node.node, held_node._thresholds
    promise = RiskThreshold(("road",), "false", 0.01, "full", 204, 0.005, 0.9, 99, "image")
    thresholds._card = tiny_model.card(HEIGHT, WIDTH, risk=(promise,))
    announced: list[float] = []
    thresholds._label_info = type("Announced", (), {"publish": announced.append, "close": lambda: None})

    def answer(**values: Any) -> str:
        given = [Parameter(name, value=value) for name, value in values.items()]
        result = node.set_parameters_atomically(given)
        assert result.successful == (not result.reason)
        return str(result.reason)

    assert answer(min_confidence="road@0.01") == ""
    assert (thresholds.levels[0], int(thresholds.levels[1:].max())) == (204, 0)
    assert "has thresholds for road=0.01" in answer(min_confidence="road@0.5")
    assert "did you mean 'road'" in answer(drivable_min_confidence="raod@0.01")
    for wrong in (True, 1, [0.5], 1.5, -0.1):
        assert answer(min_confidence=wrong), wrong
    assert answer(min_confidence=0.1, risk="sky@0.1"), "all of them or none"
    assert thresholds.levels[0] == 204, "what was refused changes nothing"
    assert "parameter 'min_confidence' must be a number" in answer(min_confidence=None)
    assert thresholds.drivable.levels[0] == 204, "the strictest rule of the card"
    assert answer(drivable_min_confidence=0.9) == ""
    assert thresholds.drivable.levels[0] == 230
    assert answer(min_confidence=0.4, risk="road=0.01") == ""
    assert (thresholds.levels[0], thresholds.levels[1]) == (204, 102)
    assert answer(risk="", min_confidence=0.0) == ""
    assert announced == [0.8, 0.8, 0.8, 0.0]
