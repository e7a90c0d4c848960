"""Class ids in a mask that the model card does not name: such a mask means nothing to who reads it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.inference.card import ModelCard
from kd_seg_ros.inference.errors import EngineError

_IDS: Final = 256

_log = logging.getLogger(__name__)


class ClassIds:
    """The ids that a model card names, and how often a mask held others."""

    def __init__(self, path: Path, card: ModelCard) -> None:
        """Note the card's ids.

        :param path: of the model file, for messages.
        """
        self._path = path
        self._classes = len(card.class_names)
        self._table = np.full(_IDS, card.ignore_id, np.uint8)
        self._table[: self._classes] = np.arange(self._classes)
        self._ignore_id = card.ignore_id
        self.masks_with_others = 0
        """Masks, since the start, in which pixels had ids that the card does not name."""
        self.strict = False
        """Refuse such a mask instead of cleaning it."""

    def others(self, mask: NDArray[np.uint8]) -> list[int]:
        """Return the ids in a mask, uint8 [H, W], that are none of the card's, in order."""
        found = np.unique(mask)
        return [int(number) for number in found if number >= self._classes and number != self._ignore_id]

    def clean(self, mask: NDArray[np.uint8]) -> None:
        """Give pixels of other ids the ignore id, in place; count and warn of it, ever more rarely.

        :param mask: class ids, uint8 [H, W].
        :raises EngineError: for such a mask while :attr:`strict`.
        """
        # One pass over bytes, 0.1 ms at 1080p; of a network whose mask is an argmax it is all there is to do.
        if int(mask.max()) < self._classes:
            return
        others = self.others(mask)
        if not others:
            return
        what = f"its masks hold class ids that its card does not name ({_listed(others)}; it names "
        what += f"{self._classes} classes)"
        if self.strict:
            raise EngineError(f"{self._path}: {what}: write the card of the classes that the network has")
        cv2.LUT(mask, self._table, dst=mask)
        self.masks_with_others += 1
        count = self.masks_with_others
        if count & (count - 1) == 0:  # 1, 2, 4, 8, …
            _log.warning(
                "%s: %s: such pixels become unlabelled; masks with some, up to now: %d",
                self._path,
                what,
                count,
            )


def _listed(numbers: list[int]) -> str:
    """Return up to five numbers, and how many more there are."""
    rest = len(numbers) - 5
    return ", ".join(map(str, numbers[:5])) + (f" and {rest} more" if rest > 0 else "")
