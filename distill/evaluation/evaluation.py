"""All scores of a network on labelled images, pooled, per condition and per image, in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from distill.common.files import plain
from distill.evaluation.mask_scores import BINS, MaskScores
from distill.metrics import Auprc
from distill.metrics.accumulator import Accumulator


@dataclass(frozen=True)
class ScoreOptions:
    """Which scores to compute beyond the usual ones."""

    bins: int = 0
    """The ECE is also computed with each number of bins from 1 to this; 0: with 15 bins only."""
    exact_auprc: bool = False
    """Compute the AUPRC with every score as a threshold, too; this keeps all scores in memory."""


class Evaluation(MaskScores):
    """Running scores with those that need the probabilities of all classes: AUPRC, Brier score, NLL.

    Memory grows by a small table per image; with exact AUPRC, by all probabilities.

    :param class_names: by trainId.
    """

    _conditions: dict[str, Accumulator]  # type: ignore[assignment]

    def __init__(self, class_names: Sequence[str], options: ScoreOptions | None = None) -> None:
        self._options = options or ScoreOptions()
        self._all_classes = True
        super().__init__(class_names)

    def update(self, condition: str, name: str, labels: NDArray[np.uint8], scores: Tensor) -> None:
        """Add an image of which the probabilities of all classes are known.

        :param condition: the image counts here and in the total.
        :param name: names the image in :meth:`images`.
        :param labels: uint8 [H, W], trainIds or 255 (ignored).
        :param scores: float [C, H, W], logits, or logarithms of probabilities.
        :raises ValueError: if the shapes or values are others.
        """
        image = self._accumulator()
        image.update(scores, labels, logits=True)
        self._add(condition, name, image)

    def update_mask(
        self,
        condition: str | None,
        name: str,
        labels: NDArray[np.uint8],
        mask: NDArray[np.uint8],
        confidence: NDArray[np.floating[Any]],
    ) -> None:
        """Add an image of which only mask and confidence are known, see :meth:`MaskScores.update_mask`.

        The scores that need all classes are undefined from then on.
        """
        self._all_classes = False
        super().update_mask(condition, name, labels, mask, confidence)

    def _accumulator(self) -> Accumulator:
        bins = (BINS, *range(1, self._options.bins + 1))
        return Accumulator(len(self.class_names), bins, exact=self._options.exact_auprc)

    def _summary(self, condition: str) -> dict[str, Any]:
        scores, sums = super()._summary(condition), self._conditions[condition]
        if self._options.bins:
            numbers = range(1, self._options.bins + 1)
            scores["ece_by_bins"] = {str(number): plain(sums.bins(number).ece()) for number in numbers}
        if self._all_classes:
            scores["ece_classwise"] = {
                "mean": plain(sums.classwise_ece()),
                "per_class": self._by_class(bins.ece() for bins in sums.bins_by_class()),
            }
            scores["auprc"] = self._auprc(sums.auprc())
            if self._options.exact_auprc:
                scores["auprc_exact"] = self._auprc(sums.exact_auprc())
            scores["brier"], scores["nll"] = plain(sums.brier()), plain(sums.nll())
        return scores

    def _auprc(self, found: Auprc) -> dict[str, Any]:
        """Return areas under the precision-recall curve as JSON has them."""
        return {
            "rule": found.rule,
            "thresholds": found.thresholds,
            "mean": plain(found.mean),
            "per_class": self._by_class(found.per_class),
        }
