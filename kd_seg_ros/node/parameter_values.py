"""Which values a parameter of the table can have: as ROS and people are told it, and as it is checked.

A parameter is a field that :func:`kd_seg_ros.node.parameters.parameter` made.
"""

from __future__ import annotations

from dataclasses import Field
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor


def descriptor(item: Field[Any]) -> ParameterDescriptor:
    """Describe one field of :class:`Parameters` to ROS."""
    limits = item.metadata["limits"]
    ranges: dict[str, Any] = {}
    if limits and (isinstance(item.default, float) or item.metadata["rules"]):
        ranges["floating_point_range"] = [FloatingPointRange(from_value=limits[0], to_value=limits[1])]
    elif limits:
        ranges["integer_range"] = [IntegerRange(from_value=limits[0], to_value=limits[1], step=1)]
    return ParameterDescriptor(
        description=item.metadata["description"],
        additional_constraints=requirement(item),
        read_only=not item.metadata["live"],
        dynamic_typing=item.metadata["rules"],  # which type is right is for `fits` to say
        **ranges,
    )


def fits(item: Field[Any], value: Any) -> bool:
    """Return whether a value is one that a parameter can have, as far as rclpy does not see to it."""
    if item.metadata["choices"]:
        return value in item.metadata["choices"]
    if item.metadata["rules"]:
        low, high = item.metadata["limits"]
        return isinstance(value, str) or (isinstance(value, float) and bool(low <= value <= high))
    return True


def requirement(item: Field[Any]) -> str:
    """Say what values a parameter can have, for its descriptor and for error messages."""
    choices, limits = item.metadata["choices"], item.metadata["limits"]
    if choices:
        return f"one of {', '.join(map(str, choices))}"
    if item.metadata["rules"]:
        return f"a number with a decimal point, {limits[0]} to {limits[1]}, or rules such as road@0.01"
    if limits:
        kind = "a number with a decimal point" if isinstance(item.default, float) else "a whole number"
        return f"{kind}, {limits[0]} to {limits[1]}"
    return "true or false" if isinstance(item.default, bool) else "a string"
