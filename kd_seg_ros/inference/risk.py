"""Thresholds with a promise: which classes, which kind of error, how much of it at most.

A *rule* is written ``GROUP=RISK`` or ``GROUP:miss=RISK``, or with ``@`` for ``=``. GROUP is a class, several
joined by ``+``, or one of :data:`GROUPS`; spaces in names may be underscores:

- ``road=0.01``: of the pixels that the mask calls road, at most 1 % are something else;
- ``person:miss=0.02``: of the persons' pixels, at most 2 % are called something else in the mask.

Both are shares of one image, on average over images like those of the calibration, among the pixels that keep
their class: those whose confidence is below the rule's threshold are unlabelled. `kd_seg calibrate --risk`
finds the thresholds, and the model card keeps them as :class:`RiskThreshold`. No ROS in here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, Literal, get_args

import numpy as np

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.suggest import did_you_mean
from kd_seg_ros.inference.card_values import is_byte, is_share, is_whole
from kd_seg_ros.inference.thresholds import MinConfidenceLevels

Kind = Literal["false", "miss"]
"""What counts as an error: a pixel that is falsely said to be in the group, or one of the group missed."""
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

Unit = Literal["image", "drive"]
"""What is drawn independently: single images, or whole drives, whose images resemble each other."""
UNITS: Final[tuple[Unit, ...]] = get_args(Unit)

GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "drivable": ("road",),
    "vulnerable": ("person", "pedestrian", "rider", "bicyclist", "bicycle", "motorcycle"),
}
"""Names for groups of classes; those that a model does not know are left out."""

FULL: Final = "full"
"""Condition of the thresholds over all weathers together."""
_RULE: Final = re.compile(r"(?P<group>[^:=@]+)(:(?P<kind>[^:=@]*))?[=@](?P<risk>[^:=@]+)")


@dataclass(frozen=True)
class Rule:
    """What is asked of a threshold."""

    classes: tuple[str, ...]
    """The names of the classes in the group, in the order of their ids."""
    kind: Kind
    risk: float
    """Highest expected share of wrong pixels, above 0, below 1."""

    def __str__(self) -> str:
        miss = ":miss" if self.kind == "miss" else ""
        return f"{'+'.join(self.classes).replace(' ', '_')}{miss}={self.risk:g}"


@dataclass(frozen=True)
class RiskThreshold:
    """A threshold that keeps a rule, as the model card holds it."""

    classes: tuple[str, ...]
    kind: Kind
    risk: float
    condition: str
    """The weather for whose images it holds, or ``full``: of all together."""
    level: int
    """Lowest published confidence, 0…255, of the pixels that keep their class."""
    measured: float
    """Mean share of wrong pixels over the calibration's units at this level, 0…1."""
    coverage: float
    """Share of the pixels concerned that keep their class, 0…1."""
    units: int
    """Number of images or drives it was found on."""
    unit: Unit
    """What the average is over."""

    @property
    def rule(self) -> Rule:
        """Return what was asked for."""
        return Rule(self.classes, self.kind, self.risk)


def parse_rule(text: str, class_names: Sequence[str]) -> Rule:
    """Read a rule such as ``road=0.01``, ``road@0.01`` or ``person+rider:miss=0.02``.

    :param class_names: the model's classes.
    :raises UserError: for text of another form, an unknown class, or a risk that is not within 0…1.
    """
    match = _RULE.fullmatch(text.strip())
    if match is None:
        raise UserError(f"{text!r} is no rule like road=0.01 or person:miss=0.02")
    kind = match["kind"] or "false"
    if match["kind"] == "" or kind not in KINDS:
        raise UserError(f"the rule {text!r} is of the kind {kind!r}, not {' or '.join(KINDS)}")
    try:
        risk = float(match["risk"])
    except ValueError:
        risk = 0.0
    if not 0 < risk < 1:
        raise UserError(f"the risk of the rule {text!r} must be a share between 0 and 1, such as 0.01")
    found: set[str] = set()
    for name in match["group"].split("+"):
        found.update(group_members(name.strip(), class_names))
    if len(found) == len(class_names):
        raise UserError(f"the rule {text!r} names all classes: nothing is left that they could be taken for")
    return Rule(tuple(name for name in class_names if name in found), kind, risk)


def group_members(name: str, class_names: Sequence[str]) -> list[str]:
    """Return the classes that a name stands for: of a class (underscores for spaces), or of :data:`GROUPS`.

    :raises UserError: for a name that is neither, or a group of which the model has no class.
    """
    spelled = {other.replace(" ", "_"): other for other in class_names}
    if name.replace(" ", "_") in spelled:
        return [spelled[name.replace(" ", "_")]]
    members = [other for other in GROUPS.get(name, ()) if other in class_names]
    if members:
        return members
    if name in GROUPS:
        raise UserError(f"the model has none of the classes of {name!r}: {', '.join(GROUPS[name])}")
    hint = did_you_mean(name, [*spelled, *GROUPS])
    raise UserError(f"the model has no class {name!r}{hint or '; it has ' + ', '.join(spelled)}")


def find_threshold(rule: Rule, known: Iterable[RiskThreshold], condition: str) -> RiskThreshold:
    """Return the threshold that was calibrated for a rule.

    :param known: the model card's.
    :param condition: the weather for which it must hold, or ``full``.
    :raises UserError: if the rule was not calibrated, naming those that were.
    """
    thresholds = list(known)
    for threshold in thresholds:
        if threshold.rule == rule and threshold.condition == condition:
            return threshold
    those = ", ".join(str(other.rule) for other in thresholds if other.condition == condition)
    raise UserError(
        f"the model file promises nothing for {rule}; "
        + (f"it has thresholds for {those}" if those else "it was calibrated without --risk")
    )


def levels_for(text: str, known: Sequence[RiskThreshold], class_names: Sequence[str]) -> MinConfidenceLevels:
    """Return the lowest published confidence, 0…255, by class id, for rules in one text: uint8 [256].

    :param text: rules separated by spaces or commas; class names have underscores for their spaces.
    :param known: the model card's thresholds; those over all weathers are taken.
    :raises UserError: for what is no rule, or a rule that was not calibrated.
    """
    rules = [parse_rule(part, class_names) for part in re.split(r"[\s,]+", text) if part]
    return risk_levels([find_threshold(rule, known, FULL) for rule in rules], class_names)


def risk_levels(thresholds: Iterable[RiskThreshold], class_names: Sequence[str]) -> MinConfidenceLevels:
    """Return the lowest published confidence, 0…255, by class id, that keeps all of some rules: uint8 [256].

    A rule about false pixels concerns the classes of its group, one about missed pixels all others.
    """
    levels = np.zeros(256, np.uint8)
    for threshold in thresholds:
        group = np.array([name in threshold.classes for name in class_names])
        concerned = np.flatnonzero(group if threshold.kind == "false" else ~group)
        levels[concerned] = np.maximum(levels[concerned], threshold.level)
    return levels


def risk_threshold_of(values: Any, class_names: Sequence[str]) -> RiskThreshold | None:
    """Read a threshold from a model card; None if the values are not those of one.

    :param values: an object of JSON.
    """
    keys = {item.name for item in fields(RiskThreshold)}
    if not isinstance(values, dict) or set(values) != keys:
        return None
    names = values["classes"]
    right = (
        isinstance(names, list)
        and names
        and all(name in class_names for name in names)
        and values["kind"] in KINDS
        and values["unit"] in UNITS
        and isinstance(values["condition"], str)
        and all(is_share(values[name]) for name in ("risk", "measured", "coverage"))
        and is_byte(values["level"])
        and is_whole(values["units"])
        and values["units"] > 0
    )
    return RiskThreshold(**(values | {"classes": tuple(names)})) if right else None
