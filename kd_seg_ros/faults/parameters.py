"""Wrong and right parameters of the node from a seed, and what the node must make of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import Field, dataclass, fields
from typing import Any, Final

import numpy as np

from kd_seg_ros.faults.images import Outcome
from kd_seg_ros.node.parameters import Parameters, full_name


@dataclass(frozen=True)
class GivenParameter:
    """A parameter that a user gives, and what the node must make of it."""

    name: str
    value: Any
    outcome: Outcome
    """``SAME``: the node has this value; of a name that is not its own, it starts with its defaults."""


def given_parameter(case: str, seed: int) -> GivenParameter:
    """Make the parameter of a case.

    :param case: a key of :data:`CASES`.
    """
    return CASES[case](np.random.default_rng(seed))


_ODD: Final[tuple[Any, ...]] = (
    *(True, False, 0, 1, -1, 2**31, 2**63 - 1, -(2**63), 0.0, 0.5, 1.0, -0.0, 1e308, 5e-324),
    *(math.nan, math.inf, -math.inf, "", "x", "true", "1", "nan", "cpu", "auto", "ü\n", "a" * 10_000),
    *([1, 2], [0.5], ["a"], [True]),
)
"""Values of every type that ROS has."""


def _some(rng: np.random.Generator) -> Field[Any]:
    table = fields(Parameters)
    return table[int(rng.integers(len(table)))]


def _is_possible(item: Field[Any], value: Any) -> bool:
    """Return whether a value has the type of a parameter's default and lies within its limits."""
    if item.metadata["rules"]:  # a text is read together with the model's card
        return isinstance(value, str) or (isinstance(value, float) and 0 <= value <= 1)
    if type(value) is not type(item.default):
        return False
    choices, limits = item.metadata["choices"], item.metadata["limits"]
    if choices:
        return value in choices
    return limits is None or bool(limits[0] <= value <= limits[1])


def _judged(item: Field[Any], value: Any) -> GivenParameter:
    outcome = Outcome.SAME if _is_possible(item, value) else Outcome.REFUSED
    return GivenParameter(full_name(item), value, outcome)


def _any_value(rng: np.random.Generator) -> GivenParameter:
    return _judged(_some(rng), _ODD[int(rng.integers(len(_ODD)))])


def _beyond_a_limit(rng: np.random.Generator) -> GivenParameter:
    """Give a number at a limit, or beyond it by more than the millionth part that ROS passes over."""
    limited = [item for item in fields(Parameters) if item.metadata["limits"]]
    item = limited[int(rng.integers(len(limited)))]
    side = int(rng.integers(2))
    value: int | float = item.metadata["limits"][side]
    if not isinstance(item.default, int):
        value = float(value)
    if rng.integers(2):
        step = 1 if isinstance(value, int) else 0.01 + abs(value) / 1000
        value += step if side else -step
    return _judged(item, value)


def _other_case(rng: np.random.Generator) -> GivenParameter:
    """Write a choice in capitals."""
    listed = [
        item for item in fields(Parameters) if item.metadata["choices"] and isinstance(item.default, str)
    ]
    item = listed[int(rng.integers(len(listed)))]
    return _judged(item, str(rng.choice(item.metadata["choices"])).swapcase())


def _slip(rng: np.random.Generator) -> GivenParameter:
    """Change the order of two letters of a name, or leave one out."""
    name = full_name(_some(rng))
    place = int(rng.integers(1, len(name) - 2))
    swapped = name[:place] + name[place + 1] + name[place] + name[place + 2 :]
    slip = swapped if rng.integers(2) else name[:place] + name[place + 1 :]
    known = {full_name(item) for item in fields(Parameters)}
    return GivenParameter(slip, 1, Outcome.EITHER if slip in known else Outcome.REFUSED)


def _foreign(rng: np.random.Generator) -> GivenParameter:
    """Give what another node of the vehicle has."""
    names = ("robot_radius", "yaml_filename", "goal_checker.xy_goal_tolerance", "exposure_us", "ip_address")
    return GivenParameter(str(rng.choice(names)), int(rng.integers(10)), Outcome.SAME)


def _right(rng: np.random.Generator) -> GivenParameter:
    item = _some(rng)
    choices, limits = item.metadata["choices"], item.metadata["limits"]
    value: Any = item.default
    if choices:
        value = choices[int(rng.integers(len(choices)))]
    elif limits:
        drawn = float(rng.uniform(*limits))
        value = int(drawn) if isinstance(value, int) else drawn
    elif isinstance(value, bool):
        value = bool(rng.integers(2))
    return _judged(item, value)


def _no_class(rng: np.random.Generator) -> GivenParameter:
    """Name a class that the model does not have."""
    name = str(rng.choice(["raod", "Road", "", "road.", "unicorn", "road road"]))
    return GivenParameter(f"class_min_confidence.{name}", 0.5, Outcome.REFUSED)


def _class_value(rng: np.random.Generator) -> GivenParameter:
    """Give a class' threshold any value."""
    value = _ODD[int(rng.integers(len(_ODD)))]
    possible = isinstance(value, float) and 0 <= value <= 1
    return GivenParameter("class_min_confidence.road", value, Outcome.SAME if possible else Outcome.REFUSED)


CASES: Final[dict[str, Callable[[np.random.Generator], GivenParameter]]] = {
    "any value": _any_value,
    "at a limit or beyond": _beyond_a_limit,
    "choice in other letters": _other_case,
    "slip in a name": _slip,
    "name of another node": _foreign,
    "right": _right,
    "class that is none": _no_class,
    "threshold of a class": _class_value,
}
"""Cases by name."""
