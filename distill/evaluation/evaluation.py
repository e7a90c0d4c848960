"""All scores of a network on labelled images, in total, per condition and per image, in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from distill.evaluation.image_scores import ImageScores
from distill.evaluation.metrics_json import FULL, Counts, by_class, plain, summarise
from distill.metrics import Auprc, BatchedEce, ConfidenceBins
from distill.metrics.accumulator import Accumulator

BINS = 15
"""Confidence bins, as the thesis has them."""


@dataclass(frozen=True)
class ScoreOptions:
    """What to measure beyond the usual."""

    bins: int = 0
    """ECE with 1 to this many bins, too; 0: with 15 only."""
    exact_auprc: bool = False
    """AUPRC with every score as a threshold; keeps all of them in memory."""


class Evaluation:
    """Running scores; memory grows by a small table an image (but for exact AUPRC)."""

    def __init__(self, class_names: Sequence[str], options: ScoreOptions | None = None) -> None:
        self.class_names = tuple(class_names)
        self._options = options or ScoreOptions()
        self._conditions = {FULL: self._accumulator()}
        self._batched = {FULL: BatchedEce(bins=BINS)}
        self._images: list[tuple[str, str, NDArray[np.int64], ConfidenceBins]] = []
        self._all_classes = True

    def update(self, condition: str, name: str, labels: NDArray[np.uint8], scores: Tensor) -> None:
        """Add an image.

        :param name: of the image, for :meth:`images`.
        :param labels: uint8 [H, W], trainIds or 255.
        :param scores: float [C, H, W], logits, or logarithms of probabilities.
        :raises ValueError: if shapes or values are others.
        """
        image = self._accumulator()
        image.update(scores, labels, logits=True)
        self._add(condition, name, image)

    def update_top(
        self,
        condition: str,
        name: str,
        labels: NDArray[np.uint8],
        mask: NDArray[np.uint8],
        probability: NDArray[np.float32],
    ) -> None:
        """Add an image of which only mask and confidence are known, all [H, W]."""
        image = self._accumulator(exact=False)
        image.update_top(labels, mask, probability)
        self._all_classes = False
        self._add(condition, name, image)

    def summary(self) -> dict[str, dict[str, Any]]:
        """Return plain values for metrics.json, by condition."""
        return {condition: self._summary(condition) for condition in self._conditions}

    def images(self) -> ImageScores:
        """Return the tables of the single images."""
        names, conditions, confusion, bins = zip(*self._images, strict=True)
        count, confidence, correct = (
            np.stack(column) for column in zip(*(b.sums() for b in bins), strict=True)
        )
        return ImageScores(
            np.array(names),
            np.array(conditions),
            np.stack(confusion),
            count,
            confidence,
            correct.astype(np.int64),
        )

    def _accumulator(self, exact: bool = True) -> Accumulator:
        bins = (BINS, *range(1, self._options.bins + 1))
        return Accumulator(len(self.class_names), bins, exact=exact and self._options.exact_auprc)

    def _add(self, condition: str, name: str, image: Accumulator) -> None:
        bins = image.bins(BINS)
        for key in (FULL, condition):
            if key not in self._conditions:
                self._conditions[key], self._batched[key] = self._accumulator(), BatchedEce(bins=BINS)
            self._conditions[key].merge(image)
            self._batched[key].add(bins)
        self._images.append((name, condition, image.confusion, bins))

    def _summary(self, condition: str) -> dict[str, Any]:
        found = self._conditions[condition]
        counts = Counts(
            found.images,
            found.confusion,
            found.bins(),
            self._batched[condition].ece(),
            found.bins_by_prediction(),
        )
        scores = summarise(counts, self.class_names)
        if self._options.bins:
            scores["ece_by_bins"] = {
                str(bins): plain(found.bins(bins).ece()) for bins in range(1, self._options.bins + 1)
            }
        if self._all_classes:
            classwise = [bins.ece() for bins in found.bins_by_class()]
            scores["ece_classwise"] = {"mean": plain(found.classwise_ece())} | {
                "per_class": by_class(self.class_names, classwise)
            }
            scores["auprc"] = self._auprc(found.auprc())
            if self._options.exact_auprc:
                scores["auprc_exact"] = self._auprc(found.exact_auprc())
            scores["brier"], scores["nll"] = plain(found.brier()), plain(found.nll())
        return scores

    def _auprc(self, found: Auprc) -> dict[str, Any]:
        return {
            "rule": found.rule,
            "thresholds": found.thresholds,
            "mean": plain(found.mean),
            "per_class": by_class(self.class_names, found.per_class),
        }
