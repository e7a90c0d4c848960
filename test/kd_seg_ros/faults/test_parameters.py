"""What the generator of parameters expects of the node, against cases worked out by hand."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy")

from kd_seg_ros.faults.images import Outcome
from kd_seg_ros.faults.parameters import CASES, _is_possible, given_parameter
from kd_seg_ros.node.parameters import Parameters

FIELDS = Parameters.__dataclass_fields__


@pytest.mark.parametrize(
    ("name", "value", "possible"),
    [
        ("threads", 0, True),
        ("threads", 1025, False),
        ("threads", 1.0, False),
        ("threads", True, False),
        ("output_scale", 1.0, True),
        ("output_scale", 1, False),
        ("output_scale", float("nan"), False),
        ("provider", "cpu", True),
        ("provider", "CPU", False),
        ("rotate", 90, True),
        ("rotate", 91, False),
        ("model", "x", True),
        ("overlay", "true", False),
    ],
)
def test_which_values_are_possible(name: str, value: object, possible: bool) -> None:
    assert _is_possible(FIELDS[name], value) is possible


def test_a_seed_gives_the_same_parameter_again() -> None:
    for case in CASES:
        assert repr(given_parameter(case, 3)) == repr(given_parameter(case, 3))


def test_the_right_ones_are_taken_and_slips_are_not() -> None:
    assert {given_parameter("right", seed).outcome for seed in range(50)} == {Outcome.SAME}
    assert {given_parameter("slip in a name", seed).outcome for seed in range(50)} <= {
        Outcome.REFUSED,
        Outcome.EITHER,
    }
