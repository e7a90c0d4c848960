"""Paired bootstrap: how far a difference of two models' scores could be chance of which images were taken.

Efron and Tibshirani, *An introduction to the bootstrap*, 1993. The N images are drawn N times with
replacement, both models are scored on the same draw, and the difference Δ = score(B) − score(A) is noted; of
R such draws the interval from the (1−level)/2 to the (1+level)/2 quantile is given. Scores are those of the
pooled pixels: mIoU of the summed confusion matrices and ECE of the summed confidence bins, both 0…1.

Images of one drive resemble each other, so that N images are worth fewer: then draw whole sequences
(``groups``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from distill.evaluation.image_scores import ImageScores
from distill.metrics.confusion import iou_per_class

FEWEST: Final = 10
"""Of fewer images or groups no verdict is given."""
AT_ONCE: Final = 1000
"""Draws that are worked on together, which bounds the memory."""


@dataclass(frozen=True)
class Difference:
    """A score of two models on the same images, 0…1."""

    first: float
    second: float
    low: float
    """Lower end of the interval of ``second − first``."""
    high: float
    better: float
    """Share of draws in which the second has the higher score."""
    units: int
    """How many images, or groups of them, were drawn from."""

    @property
    def enough(self) -> bool:
        """Whether there is enough to draw from: the intervals of a handful of images are far too narrow."""
        return self.units >= FEWEST

    @property
    def certain(self) -> bool:
        """Whether there is enough to tell, and the interval leaves out 0."""
        return self.enough and (self.low > 0 or self.high < 0)


@dataclass(frozen=True)
class Tables:
    """What the scores of a draw are summed from; G groups of images."""

    confusion: NDArray[np.float64]
    """[G, C, C + 1]."""
    gap: NDArray[np.float64]
    """[G, B], correct pixels minus summed confidence by bin."""
    pixels: NDArray[np.float64]
    """[G], labelled ones."""

    @classmethod
    def of(cls, scores: ImageScores, group: NDArray[np.int64]) -> Tables:
        """Sum the images of each group.

        :param group: [N], 0…G−1.
        """
        count = int(group.max()) + 1

        def summed(values: NDArray[np.number]) -> NDArray[np.float64]:
            total = np.zeros((count, *values.shape[1:]))
            np.add.at(total, group, values)
            return total

        return cls(
            summed(scores.confusion),
            summed(scores.correct - scores.confidence),
            summed(scores.count.sum(axis=1)),
        )

    def scores(self, times: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return mIoU and ECE of each draw, [R] each.

        :param times: [R, G], how often each group was drawn.
        """
        shape = self.confusion.shape[1:]
        iou = iou_per_class((times @ self.confusion.reshape(len(self.pixels), -1)).reshape(-1, *shape))
        present = ~np.isnan(iou)
        miou = np.divide(
            np.where(present, iou, 0).sum(axis=1),
            present.sum(axis=1),
            out=np.full(len(times), np.nan),
            where=present.any(axis=1),
        )
        pixels = times @ self.pixels
        gap = np.abs(times @ self.gap).sum(axis=1)
        return miou, np.divide(gap, pixels, out=np.full(len(times), np.nan), where=pixels > 0)


def paired_bootstrap(
    first: ImageScores,
    second: ImageScores,
    groups: NDArray[np.int64] | None = None,
    draws: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[Difference, Difference]:
    """Compare two models on the same images; return the differences in mIoU and in ECE.

    :param groups: [N], 0…G−1, the images that are drawn together; None: each by itself.
    :raises ValueError: without a labelled pixel.
    """
    group = np.arange(len(first)) if groups is None else groups
    tables = [Tables.of(scores, group) for scores in (first, second)]
    number = len(tables[0].pixels)
    if not tables[0].pixels.sum():
        raise ValueError("no labelled pixel")
    rng = np.random.default_rng(seed)
    found: list[NDArray[np.float64]] = []
    for start in range(0, draws, AT_ONCE):
        times = rng.multinomial(number, np.full(number, 1 / number), min(AT_ONCE, draws - start)).astype(
            float
        )
        scores = [table.scores(times) for table in tables]
        found.append(np.stack([scores[1][i] - scores[0][i] for i in range(2)]))
    differences = np.concatenate(found, axis=1)
    whole = [table.scores(np.ones((1, number))) for table in tables]
    miou, ece = (_difference(whole[0][i][0], whole[1][i][0], differences[i], level, number) for i in range(2))
    return miou, ece


def _difference(
    first: float, second: float, draws: NDArray[np.float64], level: float, units: int
) -> Difference:
    draws = draws[~np.isnan(draws)]
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Difference(float(first), float(second), float(low), float(high), float((draws > 0).mean()), units)
