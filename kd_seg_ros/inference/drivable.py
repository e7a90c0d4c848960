"""Where one may drive, as far as the network can be trusted: three values per pixel. No ROS in here.

The values are those of an image that Nav2's map server reads as a map: white is free, black is occupied, grey
is unknown. What is not known is never 255, so that ``drivable == 255`` is all that a planner needs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.inference.card import FULL, ModelCard
from kd_seg_ros.inference.named_thresholds import named_threshold
from kd_seg_ros.inference.risk import GROUPS, RiskThreshold, group_members

DRIVABLE: Final = 255
"""The pixel is of a drivable class, with enough confidence."""
UNKNOWN: Final = 127
"""The pixel is unlabelled, or of a drivable class with too little confidence."""
NOT_DRIVABLE: Final = 0
"""The pixel is of another class."""

_STRIP: Final = 32
"""Rows that are worked on at a time."""

DEFAULT_CLASSES: Final = "drivable"
"""The group of :data:`~kd_seg_ros.inference.risk.GROUPS` that is drivable unless classes are named."""


@dataclass(frozen=True)
class DrivableArea:
    """Which pixels of a mask are drivable."""

    classes: tuple[str, ...]
    """Names of the drivable classes."""
    levels: Mapping[int, int]
    """Lowest published confidence, 0…255, with which a pixel counts as drivable, by the class' id."""
    ignore_id: int
    """Id of pixels without a class."""
    source: str
    """Where the threshold comes from, in words."""

    def draw(
        self, mask: NDArray[np.uint8], confidence: NDArray[np.uint8], out: NDArray[np.uint8] | None = None
    ) -> NDArray[np.uint8]:
        """Return the map, uint8 [H, W], of :data:`DRIVABLE`, :data:`UNKNOWN` and :data:`NOT_DRIVABLE`.

        :param mask: class ids, uint8 [H, W], in which pixels below the mask's own thresholds are unlabelled.
        :param confidence: round(255 · p), uint8 [H, W].
        :param out: contiguous array to write to; None: a new one.
        """
        found = np.empty_like(mask) if out is None else out
        # In strips that stay in the processor's cache: 1.7 ms at 1080p for one class, in one piece 5.7 ms.
        for top in range(0, len(mask), _STRIP):
            rows = slice(top, top + _STRIP)
            self._draw_strip(mask[rows], confidence[rows], found[rows])
        return found

    def _draw_strip(
        self, mask: NDArray[np.uint8], confidence: NDArray[np.uint8], out: NDArray[np.uint8]
    ) -> None:
        """Write the map of some rows into ``out``."""
        drivable = np.zeros(mask.shape, bool)
        unknown = np.equal(mask, self.ignore_id)
        for number, level in self.levels.items():
            of_class = np.equal(mask, number)
            drivable |= of_class
            if level:
                unknown |= of_class & (confidence < level)
        # From true and false, which are the bytes 1 and 0, to 255 and 0; then 127 where it is unknown.
        np.negative(drivable.view(np.uint8), out=out)
        masked = np.negative(unknown.view(np.uint8))
        out &= ~masked
        out |= masked & np.uint8(UNKNOWN)


def drivable_classes(text: str, class_names: Sequence[str]) -> tuple[str, ...]:
    """Return the classes that a text names, in the order of their ids; none where it is empty.

    :param text: names of classes or groups, separated by spaces, commas or ``+``. A space within a name is
        written as an underscore, or as it is between commas.
    :param class_names: by trainId.
    :raises UserError: for a name that the model does not know. A model without any class of
        :data:`DEFAULT_CLASSES` has none that is drivable, which is no mistake.
    """
    if text.strip() == DEFAULT_CLASSES and not set(GROUPS[DEFAULT_CLASSES]) & set(class_names):
        return ()
    found = set[str]()
    for part in re.split(r"[,+]", text):
        whole = part.strip()
        for name in [whole] if whole in class_names else whole.split():
            found.update(group_members(name, class_names))
    return tuple(name for name in class_names if name in found)


def drivable_area(classes: tuple[str, ...], min_confidence: float | str, card: ModelCard) -> DrivableArea:
    """Return which pixels count as drivable.

    :param classes: names of the drivable classes, at least one.
    :param min_confidence: a number or rules, see :mod:`kd_seg_ros.inference.named_thresholds`; an empty text:
        the strictest rule about false pixels of exactly these classes in the card, or, where there is none,
        only what the mask asks for itself.
    :raises UserError: for a threshold that cannot be used.
    """
    source = str(min_confidence)
    if source:
        levels = named_threshold(min_confidence, card).levels
    else:
        rule = _strictest_rule(classes, card)
        levels = np.full(256, rule.level if rule else 0, np.uint8)
        source = str(rule.rule) if rule else "that of the mask"
    ids = [card.class_names.index(name) for name in classes]
    return DrivableArea(classes, {number: int(levels[number]) for number in ids}, card.ignore_id, source)


def _strictest_rule(classes: tuple[str, ...], card: ModelCard) -> RiskThreshold | None:
    """Return the card's rule of the lowest risk that these classes are falsely said of a pixel, or None."""
    rules = [
        rule
        for rule in card.risk
        if set(rule.classes) == set(classes) and rule.kind == "false" and rule.condition == FULL
    ]
    return min(rules, key=_risk_of, default=None)


def _risk_of(rule: RiskThreshold) -> float:
    return rule.risk


def threshold_text(area: DrivableArea) -> str:
    """Return an area's threshold and where it comes from, for people: such as ``0.682 (road=0.02)``."""
    return f"{max(area.levels.values()) / 255:.3f} ({area.source})"


def require_classes(text: str, card: ModelCard) -> tuple[str, ...]:
    """Return the classes that a text names, as :func:`drivable_classes` does.

    :raises UserError: also if there are none.
    """
    classes = drivable_classes(text, card.class_names)
    if not classes:
        raise UserError(
            f"none of the model's classes is drivable: name some of {', '.join(card.class_names)}"
        )
    return classes
