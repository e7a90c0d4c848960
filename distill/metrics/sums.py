"""The sums that all scores are computed from: plain arrays, whose addition merges images and processes.

C classes, K cells of probability (:mod:`distill.metrics.cells`). Counts are int64 and the rest float64, so
that nothing is lost over hundreds of images of two million pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from distill.metrics.proper_scores import brier_sum, nll_sum
from distill.metrics.sweep import Negatives, Pixels, cell_of


@dataclass
class Sums:
    """Sums over images and their labelled pixels."""

    images: NDArray[np.int64]
    """[1]."""
    confusion: NDArray[np.int64]
    """[C, C + 1], as :func:`~distill.metrics.confusion.confusion_matrix`."""
    count: NDArray[np.int64]
    """[C + 1, K], pixels by predicted class and cell of the confidence; the last row: without a class."""
    correct: NDArray[np.int64]
    """[C + 1, K], of these the correct ones."""
    confidence: NDArray[np.float64]
    """[C + 1, K], sum of their confidence."""
    positives: NDArray[np.int64]
    """[C, K], pixels labelled c by the cell of p_c."""
    negatives: NDArray[np.int64]
    """[C, K], pixels labelled otherwise by the cell of p_c."""
    probability: NDArray[np.float64]
    """[C, K], sum of p_c over both."""
    brier: NDArray[np.float64]
    """[1]."""
    nll: NDArray[np.float64]
    """[1]."""

    @classmethod
    def zeros(cls, classes: int, cells: int) -> Sums:
        """Nothing counted yet."""
        rows, top = (classes, cells), (classes + 1, cells)
        return cls(
            images=np.zeros(1, np.int64),
            confusion=np.zeros((classes, classes + 1), np.int64),
            count=np.zeros(top, np.int64),
            correct=np.zeros(top, np.int64),
            confidence=np.zeros(top),
            positives=np.zeros(rows, np.int64),
            negatives=np.zeros(rows, np.int64),
            probability=np.zeros(rows),
            brier=np.zeros(1),
            nll=np.zeros(1),
        )

    def add(self, other: Sums) -> None:
        """Add another's pixels."""
        for name, array in self.arrays().items():
            array += getattr(other, name)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays by name; not copies."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def count_top(self, label: Tensor, prediction: Tensor, confidence: Tensor, edges: Tensor) -> None:
        """Add pixels of which only the most probable class is known.

        :param label: int64 [n], 0…C−1.
        :param prediction: int64 [n], 0…C; C is no class at all (never correct).
        :param confidence: float32 [n], 0…1.
        """
        rows, cells = self.count.shape
        key = prediction * cells + cell_of(confidence, edges)
        pairs = (label * rows + prediction).bincount(minlength=self.confusion.size)
        self.confusion += _array(pairs, self.confusion)
        self.count += _array(key.bincount(minlength=rows * cells), self.count)
        self.correct += _array(key[prediction == label].bincount(minlength=rows * cells), self.correct)
        self.confidence += _array(key.bincount(confidence.double(), rows * cells), self.confidence)

    def count_all(self, pixels: Pixels, negatives: Negatives, edges: Tensor) -> None:
        """Add pixels of which the probabilities of all classes are known."""
        self.count_top(pixels.label, pixels.prediction, pixels.confidence, edges)
        cells = len(edges)
        key = pixels.label * cells + cell_of(pixels.of_label, edges)
        size = self.positives.size
        self.positives += _array(key.bincount(minlength=size), self.positives)
        self.probability += _array(key.bincount(pixels.of_label.double(), size), self.probability)
        self.negatives += _array(negatives.counts, self.negatives)
        self.probability += _array(negatives.probability, self.probability)
        self.brier += float(brier_sum(pixels.of_label, negatives.squares))
        self.nll += float(nll_sum(pixels.of_label, pixels.confidence, pixels.margin))


def _array(tensor: Tensor, like: NDArray[Any]) -> NDArray[Any]:
    return tensor.view(like.shape).cpu().numpy()
