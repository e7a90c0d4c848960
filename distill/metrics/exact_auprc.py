"""AUPRC with every score that occurs as a threshold: scikit-learn's ``average_precision_score``.

Only thresholds at which recall changes add to the area, which are the scores s of a class's own pixels. With
m_s of its P pixels at exactly s, TP_s of them at s or above, and FP_s of the others::

    AUPRC = Σ_s m_s/P · TP_s / (TP_s + FP_s)

No sum of constant size holds this: every score is kept, 4·C bytes for each labelled pixel (158 MB for an
image of 1080×1920 in 19 classes). For a few dozen images, to see what the fixed thresholds cost.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Scores = NDArray[np.float32]


class KeptScores:
    """The probabilities of each class, kept separately for its own pixels and for all others."""

    def __init__(self, classes: int) -> None:
        self._own: list[list[Scores]] = [[] for _ in range(classes)]
        self._others: list[list[Scores]] = [[] for _ in range(classes)]

    def update(self, probabilities: Tensor, labels: Tensor) -> None:
        """Keep the probabilities of an image.

        :param probabilities: [C, n] of the labelled pixels, 0…1.
        :param labels: [n], 0…C−1.
        """
        label = labels.cpu().numpy()
        for c, row in enumerate(probabilities.float().cpu().numpy()):
            self._own[c].append(row[label == c])
            self._others[c].append(row[label != c])

    def merge(self, other: KeptScores) -> None:
        """Keep the probabilities of another's images as well."""
        for mine, theirs in ((self._own, other._own), (self._others, other._others)):
            for kept, more in zip(mine, theirs, strict=True):
                kept += more

    def auprc(self) -> NDArray[np.float64]:
        """Area per class, float64 [C], 0…1; NaN for a class without a labelled pixel."""
        return np.array([_area(*both) for both in zip(self._own, self._others, strict=True)])


def _area(own: list[Scores], others: list[Scores]) -> float:
    """Return the area of one class from its own pixels' probabilities and those of all others."""
    if not sum(map(len, own)):
        return float("nan")
    # TP and FP at each score of the class's own pixels: how many pixels of either kind reach it.
    score, count = np.unique(np.concatenate(own), return_counts=True)
    negatives = np.sort(np.concatenate(others))
    hits = count[::-1].cumsum()[::-1]
    false = len(negatives) - np.searchsorted(negatives, score)
    return float((count * (hits / (hits + false))).sum() / hits[0])
