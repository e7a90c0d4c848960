"""Which names of parameters a user may give, and what is said about the others.

rclpy passes over values for parameters that a node does not declare. A slip of the pen must not go unseen,
but a vehicle sets parameters for all its nodes in one place: names that resemble none of this node's are not
meant for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Final

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.suggest import did_you_mean, nearest
from kd_seg_ros.node.parameters import CLASS_GROUP, Parameters, full_name

QOS_OVERRIDES: Final = "qos_overrides."
"""Beginning of the names of parameters that override a topic's quality of service."""
ALIKE: Final = 0.75
"""Likeness from which a name counts as a slip of the pen, 0…1; ``difflib`` gives 0.8 for ``modle``."""
SHORTEST_WORD: Final = 5
"""Least number of letters in a name that makes a longer one, such as ``model_path``, count as near."""

_ELSEWHERE: Final = (
    "use_sim_time",
    "start_type_description_service",
    QOS_OVERRIDES,
    "diagnostic_updater.",
    f"{CLASS_GROUP}.",
)
"""Parameters, and groups of them (a dot at the end), that are declared by rclpy, by diagnostic_updater or by
:func:`kd_seg_ros.node.parameter_declaration.declare_class_thresholds`."""


def known_names() -> list[str]:
    """Return the full names of the parameters in the table, in its order."""
    return [full_name(item) for item in fields(Parameters)]


def refuse_unknown_names(names: Iterable[str]) -> None:
    """Raise UserError for the first name that no parameter of the node can have, with the nearest one.

    For lists that are written for this node alone.
    """
    known = known_names()
    refuse_others(_unknown(names, known), known)


def foreign_names(names: Iterable[str], known: Sequence[str]) -> list[str]:
    """Return the names that are not meant for this node.

    :param names: given from outside, perhaps for all nodes of a vehicle.
    :param known: the full names that the node has.
    :raises UserError: for a name that is not known but near one that is.
    """
    unknown = _unknown(names, known)
    for name in unknown:
        near = nearest_parameter(name, known)
        if near:
            raise UserError(f"unknown parameter {name!r}; did you mean {near!r}?")
    return unknown


def nearest_parameter(name: str, known: Sequence[str]) -> str:
    """Return the known parameter that a name was probably meant to be; empty if there is none.

    Near is a name that differs in a few letters, lacks its group, has its words in another order, or goes on
    after a known name (``model_path``).
    """
    shorts = {other.rpartition(".")[2]: other for other in known}
    for short, full in shorts.items():
        if _words(name) in (_words(short), _words(full)):
            return full
    spellings = {full: full for full in known} | shorts
    close = [other for other in spellings if abs(len(other) - len(name)) <= max(1, len(name) // 3)]
    like = nearest(name, close, alike=ALIKE)
    if like:
        return spellings[like[0]]
    for short, full in shorts.items():
        if len(short) >= SHORTEST_WORD and name.lower().startswith((f"{short}_", f"{short}.")):
            return full
    return ""


def refuse_others(given: Sequence[str], known: Sequence[str]) -> None:
    """Raise UserError for the first given name that is not known."""
    for name in given:
        if name not in known:
            advice = did_you_mean(name, known) or f"; there are {', '.join(known)}"
            raise UserError(f"unknown parameter {name!r}{advice}")


def _words(name: str) -> list[str]:
    """Return the words of a name in alphabetical order, however they are joined."""
    return sorted(name.lower().replace("-", "_").replace(".", "_").split("_"))


def _unknown(names: Iterable[str], known: Sequence[str]) -> list[str]:
    """Return the names that are neither known nor declared elsewhere."""
    groups = tuple(other for other in _ELSEWHERE if other.endswith("."))
    taken = {*known, *_ELSEWHERE}
    return [name for name in names if name not in taken and not name.startswith(groups)]
