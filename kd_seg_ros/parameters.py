"""The node's parameters: one table of names, types, defaults, limits and meanings.

:func:`declare_parameters` declares them and refuses what rclpy lets pass: values outside a list of
choices, and names that no parameter has.
"""

from __future__ import annotations

import difflib
from dataclasses import Field, dataclass, field, fields
from typing import Any, Final

from rcl_interfaces.msg import FloatingPointRange, ParameterDescriptor
from rclpy.exceptions import ParameterException
from rclpy.node import Node

from kd_seg_ros.engine import PROVIDERS
from kd_seg_ros.errors import UserError


def _parameter(
    default: Any,
    description: str,
    *,
    choices: tuple[str, ...] = (),
    limits: tuple[float, float] | None = None,
    live: bool = False,
) -> Any:
    metadata = {"description": description, "choices": choices, "limits": limits, "live": live}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Parameters:
    """The values the node starts with. ``live`` ones may change while it runs, the others are read-only."""

    model: str = _parameter(
        "", "Path of the ONNX model file. Empty: the demo student shipped with the package."
    )
    provider: str = _parameter(
        "cuda",
        "Where the network runs. A GPU that is not there is an error at start, never a silent CPU run.",
        choices=tuple(PROVIDERS),
    )
    compressed: bool = _parameter(
        False, "Subscribe to image/compressed (sensor_msgs/CompressedImage) instead of image."
    )
    reliability: str = _parameter(
        "auto",
        "Reliability of the image subscription. auto: reliable if every publisher offers it, best effort "
        "otherwise, checked again as publishers come and go.",
        choices=("auto", "reliable", "best_effort"),
    )
    confidence_encoding: str = _parameter(
        "mono8",
        "Encoding of segmentation/confidence: mono8 is round(255 * probability), 32FC1 the probability.",
        choices=("mono8", "32FC1"),
    )
    min_confidence: float = _parameter(
        0.0,
        "Pixels of a lower confidence get the ignore id in segmentation/mask (255 of the models made here).",
        limits=(0.0, 1.0),
        live=True,
    )
    overlay: bool = _parameter(
        True,
        "Offer segmentation/overlay, the classes' colours over the image; made only while subscribed.",
    )
    overlay_alpha: float = _parameter(
        0.5, "Weight of the colours in the overlay: 0 shows the image alone.", limits=(0.0, 1.0), live=True
    )
    diagnostics_period: float = _parameter(
        1.0, "Seconds between two messages on /diagnostics.", limits=(0.1, 3600.0)
    )
    drift_window: float = _parameter(
        30.0,
        "Seconds over which the confidence is compared with that of the images the model was calibrated on.",
        limits=(1.0, 3600.0),
    )


_FOREIGN: Final = ("use_sim_time", "start_type_description_service", "qos_overrides.")
"""Parameters (a dot at the end: groups of them) that rclpy itself reads."""


def declare_parameters(node: Node) -> Parameters:
    """Declare all parameters on ``node`` and return their values.

    :raises UserError: for a value of the wrong type or out of range, or a name that is not known.
    """
    _refuse_unknown_names(node)
    return Parameters(**{item.name: _declare(node, item) for item in fields(Parameters)})


def descriptor(item: Field[Any]) -> ParameterDescriptor:
    """Describe one field of :class:`Parameters` to ROS."""
    limits = item.metadata["limits"]
    ranges = [FloatingPointRange(from_value=limits[0], to_value=limits[1])] if limits else []
    return ParameterDescriptor(
        description=item.metadata["description"],
        additional_constraints=_requirement(item),
        read_only=not item.metadata["live"],
        floating_point_range=ranges,
    )


def _requirement(item: Field[Any]) -> str:
    if choices := item.metadata["choices"]:
        return f"one of {', '.join(choices)}"
    if limits := item.metadata["limits"]:
        return f"a number with a decimal point, {limits[0]} to {limits[1]}"
    return "true or false" if isinstance(item.default, bool) else "a string"


def _declare(node: Node, item: Field[Any]) -> Any:
    try:
        value = node.declare_parameter(item.name, item.default, descriptor(item)).value
    except ParameterException as error:  # wrong type, or out of range
        value = node._parameter_overrides[item.name].value
        raise UserError(f"parameter {item.name!r} must be {_requirement(item)}, not {value!r}") from error
    if item.metadata["choices"] and value not in item.metadata["choices"]:
        raise UserError(f"parameter {item.name!r} must be {_requirement(item)}, not {value!r}")
    return value


def _refuse_unknown_names(node: Node) -> None:
    known = [item.name for item in fields(Parameters)]
    # rclpy ignores values for undeclared parameters and has no public list of them.
    for name in node._parameter_overrides:
        if name in known or any(name == own or (own[-1] == "." and name.startswith(own)) for own in _FOREIGN):
            continue
        near = difflib.get_close_matches(name, known, n=1)
        advice = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
        raise UserError(f"unknown parameter {name!r}: {advice}")
