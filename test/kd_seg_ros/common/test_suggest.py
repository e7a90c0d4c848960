"""Names offered in place of an unknown one."""

from __future__ import annotations

import pytest

from kd_seg_ros.common.suggest import did_you_mean, nearest

KNOWN = ("road", "sidewalk", "traffic light", "traffic sign")


@pytest.mark.parametrize(
    ("name", "offered"),
    [("roda", ["road"]), ("ROAD", ["road"]), ("trafic-sign", ["traffic sign"]), ("xyz", []), ("", [])],
)
def test_the_nearest_name_is_offered_and_none_that_is_unlike(name: str, offered: list[str]) -> None:
    assert nearest(name, KNOWN) == offered


def test_several_are_ordered_by_likeness_and_keep_their_spelling() -> None:
    assert nearest("traffic sing", KNOWN, 3) == ["traffic sign", "traffic light"]
    assert nearest("modelname", ["ModelName", "model"], 2) == ["ModelName", "model"]
    assert nearest("a", []) == []


def test_names_with_a_long_beginning_in_common_can_be_held_apart() -> None:
    known = ["qos_overrides./mask.publisher.depth"]
    assert nearest("qos_overrides./mask.publisher.colour", known)
    assert not nearest("qos_overrides./mask.publisher.colour", known, alike=0.95)


def test_the_words_of_an_error_message() -> None:
    assert did_you_mean("roda", KNOWN) == "; did you mean 'road'?"
    assert did_you_mean("traffic", KNOWN, 2) == "; did you mean 'traffic sign' or 'traffic light'?"
    assert did_you_mean("r1", ["r2", "r3", "r4"], 3) == "; did you mean 'r4', 'r3' or 'r2'?"
    assert did_you_mean("xyz", KNOWN, 3) == ""
