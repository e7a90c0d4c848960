"""Temporal consistency: how many pixels change their class from one frame of a drive to the next.

Over pairs of consecutive frames and the pixels that have a class in both masks::

    flipped = share whose predicted class changes
    flickered = share whose predicted class changes, of those whose true class stays

Both are uncompensated: a pixel is compared with the pixel at the same place, though the camera moves. The
labels take out of ``flipped`` what truly changes, since what moves on or off a pixel changes its label, too:
``flickered`` of a perfect mask is 0 however fast the drive is, ``flipped`` is not. A low value alone is no
merit: a mask of one class never flips.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.evaluation.metrics_json import FULL, condition_key
from kd_seg_ros.inference.flips import flips

Mask = NDArray[np.uint8]


class Consistency:
    """Counts the pixels of a drive that change their class; its frames come in order."""

    def __init__(self, classes: int) -> None:
        """Begin before the first frame.

        :param classes: number of classes; ids from there on, such as 255, are none.
        """
        self._classes = classes
        self._number = 0
        self._mask: Mask | None = None
        self._truth: NDArray[np.integer[Any]] | None = None
        # By condition: pairs; pixels compared, flipped; pixels whose true class stays, flickered of them.
        self._counts: dict[str, NDArray[np.int64]] = {}

    def update(self, condition: str, number: int, mask: Mask, truth: NDArray[np.integer[Any]] | None) -> None:
        """Add a frame; it makes a pair with the one before if no frame is missing between them.

        :param condition: the weather, under which the pair counts besides the total.
        :param number: of the frame in the drive, counted without gaps.
        :param mask: class ids, uint8 [H, W].
        :param truth: labels, [H, W]; None where the frame has none.
        """
        before = self._mask
        if before is not None and number == self._number + 1 and before.shape == mask.shape:
            found = self._pair(before, mask, self._truth, truth)
            for key in {FULL, condition_key(condition)}:
                self._counts[key] = self._counts.get(key, np.zeros(5, np.int64)) + found
        self._number, self._mask, self._truth = number, mask.copy(), truth

    def _pair(
        self,
        before: Mask,
        mask: Mask,
        truth_before: NDArray[np.integer[Any]] | None,
        truth: NDArray[np.integer[Any]] | None,
    ) -> NDArray[np.int64]:
        """Count a pair of frames: see ``_counts``."""
        compared, flipped = flips(before, mask, self._classes)
        stays = still = 0
        if truth is not None and truth_before is not None and truth.shape == truth_before.shape == mask.shape:
            same = compared & (truth == truth_before) & (truth < self._classes)
            stays, still = int(np.count_nonzero(same)), int(np.count_nonzero(flipped & same))
        return np.array([1, np.count_nonzero(compared), np.count_nonzero(flipped), stays, still], np.int64)

    def summary(self) -> dict[str, dict[str, float | int | None]]:
        """Return, by condition, the number of ``pairs`` and the shares ``flipped`` and ``flickered``, 0…1.

        A share is None where no pixel could be compared. Empty without a pair.
        """
        return {
            condition: {
                "pairs": int(pairs),
                "flipped": _share(flipped, compared),
                "flickered": _share(flickered, same),
            }
            for condition, (pairs, compared, flipped, same, flickered) in self._counts.items()
        }


def _share(part: int, whole: int) -> float | None:
    return float(part / whole) if whole else None


def describe_consistency(summary: dict[str, dict[str, Any]]) -> list[str]:
    """Return a line per condition for people; none without a pair of frames."""
    lines = []
    for condition, values in summary.items():
        text = f"{condition}: {_percent(values['flipped'])} of the pixels change class between frames"
        if values["flickered"] is not None:
            text += f", {_percent(values['flickered'])} of those whose true class stays"
        lines.append(f"{text} ({values['pairs']} pairs)")
    return lines


def _percent(share: float | None) -> str:
    return "none" if share is None else f"{100 * share:.2f} %"
