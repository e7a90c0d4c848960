"""Parameters as launch files, parameter files and command lines give them, declared on a node of ROS."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from functools import cache, partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kd_seg_ros.campaign.outcome import Verdict, judged
from kd_seg_ros.common.classes import CLASS_NAMES

if TYPE_CHECKING:
    from rclpy.context import Context

    from kd_seg_ros.faults.parameters import GivenParameter

_numbers = count()


def names() -> Sequence[str]:
    """Return the names of the cases.

    :raises ImportError: without rclpy.
    """
    from kd_seg_ros.faults.parameters import CASES

    return list(CASES)


def try_case(name: str, seed: int, folder: Path) -> Verdict:
    """Declare the node's parameters with one of them given."""
    from kd_seg_ros.faults.parameters import given_parameter

    given = given_parameter(name, seed)
    (folder / "parameter.json").write_text(json.dumps({given.name: given.value}), encoding="utf-8")
    return judged(partial(_declared, given.name, given.value), given.outcome, partial(_problem, given))


@cache
def ros_context() -> Context:
    """Return this process' own ROS context, started when it is needed first."""
    import rclpy
    from rclpy.context import Context

    context = Context()
    rclpy.init(context=context)
    return context


def _declared(name: str, value: Any) -> dict[str, Any]:
    """Return the values of a node's parameters, by full name, when one of them is given.

    :raises UserError: if the node refuses it.
    """
    from rclpy.node import Node
    from rclpy.parameter import Parameter

    from kd_seg_ros.node.parameter_declaration import declare_class_thresholds, declare_parameters
    from kd_seg_ros.node.parameters import full_name

    node = Node(
        f"fuzz_{next(_numbers)}",
        context=ros_context(),
        use_global_arguments=False,
        start_parameter_services=False,
        parameter_overrides=[Parameter(name, value=value)],
    )
    try:
        values = declare_parameters(node)
        found = {full_name(item): getattr(values, item.name) for item in fields(values)}
        for threshold in declare_class_thresholds(node, CLASS_NAMES):
            found[threshold] = node.get_parameter(threshold).value
        return found
    finally:
        node.destroy_node()


def _problem(given: GivenParameter, found: dict[str, Any]) -> str:
    """Compare with the defaults, of which only the given parameter may differ."""
    from kd_seg_ros.node.parameters import Parameters, full_name

    wanted = {full_name(item): item.default for item in fields(Parameters)}
    wanted |= {name: 0.0 for name in found if name not in wanted}
    if given.name in wanted:
        wanted[given.name] = given.value
    different = [name for name, value in found.items() if value != wanted[name]]
    return f"the node has other values of {', '.join(different)}" if different else ""
