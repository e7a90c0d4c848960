"""What a threshold of the published confidence keeps in one image, and what of that is wrong.

The vehicle publishes the confidence of a pixel as a byte, so 256 thresholds are all there are; one more keeps
nothing. Everything below is counted for all 257 at once.

Two kinds of wrong, for a group of classes G (often a single one):

- ``false``: kept are pixels of which the mask says a class of G, with a confidence of at least the threshold;
  wrong are those whose label is not in G. The loss is their share of what is kept, 0 if nothing is kept.
- ``miss``: kept are pixels of which the mask says a class outside G with at least that confidence; wrong are
  those whose label is in G. The loss is their share of all pixels with a label in G: how much of, say, the
  persons the mask takes for something else and is sure of it.

Pixels without a label never count.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.common.classes import IGNORE_ID
from kd_seg_ros.inference.risk import Kind

LEVELS: Final = 257
"""Thresholds 0…256 of the published confidence 0…255; the last keeps nothing."""


class RiskCounts(NamedTuple):
    """The pixels of one image, by threshold 0…256."""

    kept: NDArray[np.int64]
    """Pixels whose confidence is at least the threshold, int64 [257]."""
    wrong: NDArray[np.int64]
    """Those of them that are wrong, int64 [257]."""
    group: int
    """Pixels whose label is in the group."""

    def applies(self, kind: Kind) -> bool:
        """Return whether the image says anything: a mask (``false``) or label (``miss``) in the group."""
        return bool(self.kept[0] if kind == "false" else self.group)

    def losses(self, kind: Kind) -> NDArray[np.float64]:
        """Return the loss by threshold, float64 [257], 0…1, as the module describes it."""
        of = self.kept if kind == "false" else np.full(LEVELS, self.group)
        return self.wrong / np.maximum(of, 1)


def count_risk(
    mask: NDArray[np.uint8],
    confidence: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    group: NDArray[np.bool_],
    kind: Kind,
) -> RiskCounts:
    """Count what each threshold keeps in an image.

    :param mask: classes, uint8 [H, W].
    :param confidence: round(255 · p), uint8 [H, W].
    :param labels: trainIds, 255 without a label, uint8 [H, W].
    :param group: True for the classes of the group, bool [256]; False for 255.
    """
    says_group, is_group = group[mask], group[labels]
    concerned = (labels != IGNORE_ID) & (says_group if kind == "false" else ~says_group)
    wrong = concerned & (~is_group if kind == "false" else is_group)
    return RiskCounts(
        _at_least(confidence[concerned]), _at_least(confidence[wrong]), int(np.count_nonzero(is_group))
    )


def _at_least(confidence: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return how many of some bytes are at least t, for t = 0…256: int64 [257]."""
    histogram = np.bincount(confidence, minlength=LEVELS)
    return np.cumsum(histogram[::-1])[::-1].astype(np.int64)
