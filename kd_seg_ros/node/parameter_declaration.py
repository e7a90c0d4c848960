"""Declaring the node's parameters, and refusing what rclpy lets pass: values outside a list of choices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import Field, fields
from typing import Any, TypeVar, cast

from rclpy.exceptions import ParameterException
from rclpy.node import Node
from rclpy.parameter import Parameter

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.node.parameter_names import foreign_names, refuse_others
from kd_seg_ros.node.parameter_values import descriptor, fits, requirement
from kd_seg_ros.node.parameters import (
    CLASS_GROUP,
    CLASS_THRESHOLD,
    Parameters,
    class_parameter,
    full_name,
)

Table = TypeVar("Table")


def declare_parameters(node: Node, fixed: bool = True) -> Parameters:
    """Declare all parameters on ``node`` and return their values.

    :param fixed: parameters that are not live are read-only, as for a node that reads them once.
    :raises UserError: for a value of the wrong type or out of range, or a name that is nearly one of ours.
    """
    return declare_table(node, Parameters, fixed)


def declare_table(node: Node, table: type[Table], fixed: bool = True) -> Table:
    """Declare a parameter for each field of a table on ``node`` and return the table with their values.

    :param table: a dataclass whose fields are made by :func:`kd_seg_ros.node.parameters.parameter`.
    :param fixed: as for :func:`declare_parameters`.
    :raises UserError: as :func:`declare_parameters` does.
    """
    rows = {full_name(item): item for item in fields(cast(Any, table))}
    foreign = foreign_names(node._parameter_overrides, list(rows))
    if foreign:
        node.get_logger().warning(
            f"parameters that this node does not have are ignored: {', '.join(foreign)}; "
            "docs/parameters.md lists those it has"
        )
    values = {item.name: _declare(node, name, item, fixed) for name, item in rows.items()}
    return table(**values)


def read_parameters(node: Node) -> Parameters:
    """Return the present values of parameters that were declared before."""
    return Parameters(**{item.name: node.get_parameter(full_name(item)).value for item in fields(Parameters)})


def refusal(parameters: Sequence[Parameter[Any]], configured: bool) -> str:
    """Say why values cannot be set on a node whose parameters are not fixed; empty if they can.

    :param configured: the node has read its parameters, so that only live ones change anything.
    """
    table = {full_name(item): item for item in fields(Parameters)}
    for given in parameters:
        item = table.get(given.name)
        if item is not None and configured and not item.metadata["live"]:
            return f"{given.name!r} is read when the node is configured: clean it up first"
    return misfit(parameters)


def misfit(parameters: Sequence[Parameter[Any]]) -> str:
    """Say which new value a parameter cannot have, of those that rclpy does not check; empty if all fit."""
    table = {full_name(item): item for item in fields(Parameters)}
    for given in parameters:
        item = table.get(given.name)
        if item is not None and not fits(item, given.value):
            return f"parameter {given.name!r} must be {requirement(item)}, not {given.value!r:.60}"
    return ""


def declare_class_thresholds(node: Node, class_names: Sequence[str]) -> list[str]:
    """Declare ``class_min_confidence.<class>`` for each class and return the parameters' names.

    Those of classes that an earlier model had, and this one does not, are removed; the others keep their
    value.

    :raises UserError: for a value out of range, or the name of a class that the model does not know.
    """
    names = [class_parameter(name) for name in class_names]
    given = [name for name in node._parameter_overrides if name.startswith(f"{CLASS_GROUP}.")]
    refuse_others(given, names)
    for short in node.get_parameters_by_prefix(CLASS_GROUP):
        if f"{CLASS_GROUP}.{short}" not in names:
            node.undeclare_parameter(f"{CLASS_GROUP}.{short}")
    for name in names:
        if not node.has_parameter(name):
            _declare(node, name, CLASS_THRESHOLD)
    return names


def _declare(node: Node, name: str, item: Field[Any], fixed: bool = True) -> Any:
    """Declare a parameter and return its value; raises UserError for a wrong type or a value out of range."""
    described = descriptor(item)
    described.read_only = described.read_only and fixed
    try:
        value = node.declare_parameter(name, item.default, described).value
    except ParameterException as error:  # wrong type, or out of range
        value = node._parameter_overrides[name].value
        raise UserError(f"parameter {name!r} must be {requirement(item)}, not {value!r:.60}") from error
    if not fits(item, value):
        raise UserError(f"parameter {name!r} must be {requirement(item)}, not {value!r:.60}")
    return value
