"""The sums that all scores are computed from, counted in PyTorch on the device of the probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from distill.metrics.mask_accumulator import MaskSums
from distill.metrics.proper_scores import brier_sum, nll_sum
from distill.metrics.risk_coverage import LEVELS
from distill.metrics.sweep import Negatives, Pixels, cell_of


@dataclass
class Sums(MaskSums):
    """Sums over images and their labelled pixels, with those over the probabilities p_c of all C classes."""

    positives: NDArray[np.int64]
    """[C, K], pixels labelled c by the cell of p_c."""
    negatives: NDArray[np.int64]
    """[C, K], pixels labelled otherwise by the cell of p_c."""
    probability: NDArray[np.float64]
    """[C, K], sum of p_c over both."""
    brier: NDArray[np.float64]
    """[1], sum of the Brier score over the pixels."""
    nll: NDArray[np.float64]
    """[1], sum of the negative log-likelihood over the pixels, nats."""

    @classmethod
    def zeros(cls, classes: int, cells: int) -> Sums:
        """Return the sums over no image, for C classes and K cells."""
        return Sums(
            **MaskSums.zeros(classes, cells).arrays(),
            positives=np.zeros((classes, cells), np.int64),
            negatives=np.zeros((classes, cells), np.int64),
            probability=np.zeros((classes, cells)),
            brier=np.zeros(1),
            nll=np.zeros(1),
        )

    def count_all(self, pixels: Pixels, negatives: Negatives, edges: Tensor) -> None:
        """Add pixels of which the probabilities of all classes are known.

        :param edges: float32 [K], lower edges of the cells.
        """
        self._count_predictions(pixels, edges)
        # Probabilities of the labelled class, by class and cell; then those of all other classes.
        key = pixels.label * len(edges) + cell_of(pixels.of_label, edges)
        size = self.positives.size
        self.positives += _array(key.bincount(minlength=size), self.positives)
        self.probability += _array(key.bincount(pixels.of_label.double(), size), self.probability)
        self.negatives += _array(negatives.counts, self.negatives)
        self.probability += _array(negatives.probability, self.probability)
        self.brier += float(brier_sum(pixels.of_label, negatives.squares))
        self.nll += float(nll_sum(pixels.of_label, pixels.confidence, pixels.margin))

    def _count_predictions(self, pixels: Pixels, edges: Tensor) -> None:
        """Add the predicted classes and their confidence."""
        rows, cells = self.count.shape
        key = pixels.prediction * cells + cell_of(pixels.confidence, edges)
        hits = key[pixels.prediction == pixels.label]
        pairs = (pixels.label * rows + pixels.prediction).bincount(minlength=self.confusion.size)
        self.confusion += _array(pairs, self.confusion)
        self.count += _array(key.bincount(minlength=rows * cells), self.count)
        self.correct += _array(hits.bincount(minlength=rows * cells), self.correct)
        self.confidence += _array(key.bincount(pixels.confidence.double(), rows * cells), self.confidence)
        level = pixels.prediction * LEVELS + (255 * pixels.confidence).round().long().clamp_(0, LEVELS - 1)
        right = level[pixels.prediction == pixels.label]
        self.by_level += _array(level.bincount(minlength=rows * LEVELS), self.by_level)
        self.right_by_level += _array(right.bincount(minlength=rows * LEVELS), self.right_by_level)


def _array(tensor: Tensor, like: NDArray[Any]) -> NDArray[Any]:
    """Copy a tensor to an array of the shape of another array."""
    return tensor.view(like.shape).cpu().numpy()
