"""Paired bootstrap: could a difference of two models' scores be due to which images were taken?

Efron and Tibshirani, *An introduction to the bootstrap*, 1993. The N images are drawn N times with
replacement, both models are scored on the same draw, and Δ = score(B) − score(A) is taken; over R such draws
the interval reaches from the (1−level)/2 to the (1+level)/2 quantile of Δ. Scores are those of the
pooled pixels: mIoU of the summed confusion matrices and ECE of the summed confidence bins, both 0…1.

Images of one drive resemble each other, so that N of them are worth fewer independent ones: then draw whole
sequences (``groups``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

import numpy as np
from numpy.typing import NDArray

from distill.evaluation.image_scores import ImageScores
from distill.evaluation.metrics_json import FULL
from distill.metrics.calibration import closed_last_bin
from distill.metrics.confusion import iou_per_class

FEWEST: Final = 10
"""With fewer images or groups than this, no verdict is given."""
DRAWS_AT_ONCE: Final = 1000
"""So many draws are computed in one step, which bounds the memory."""


@dataclass(frozen=True)
class Difference:
    """A score of two models on the same images, and how sure the difference is."""

    first: float
    """Score of the first model, 0…1."""
    second: float
    """Score of the second model, 0…1."""
    low: float
    """Lower end of the interval of ``second − first``."""
    high: float
    """Upper end of the interval of ``second − first``."""
    better: float
    """Share of draws in which the second has the higher score."""
    units: int
    """Number of images, or of groups of images, that were drawn from."""

    @property
    def enough(self) -> bool:
        """True if there are enough units: the intervals of a handful of images are far too narrow."""
        return self.units >= FEWEST

    @property
    def certain(self) -> bool:
        """True if there are enough units and the interval leaves out 0."""
        return self.enough and (self.low > 0 or self.high < 0)


@dataclass(frozen=True)
class Tables:
    """Sums over the images of each of G groups, from which the scores of any draw of groups follow."""

    confusion: NDArray[np.float64]
    """[G, C, C + 1], confusion matrices, see :mod:`distill.metrics.confusion`."""
    gap: NDArray[np.float64]
    """[G, B], number of correct pixels minus summed confidence, by confidence bin."""
    pixels: NDArray[np.float64]
    """[G], number of labelled pixels."""

    @classmethod
    def of(cls, scores: ImageScores, group: NDArray[np.int64]) -> Tables:
        """Sum the images of each group.

        :param group: [N], the number of each image's group, 0…G−1.
        """
        return cls(
            _sum_groups(scores.confusion, group),
            _sum_groups(closed_last_bin(scores.correct - scores.confidence), group),
            _sum_groups(scores.count.sum(axis=1), group),
        )

    def scores(self, times: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return mIoU and ECE of each draw, [R] each.

        :param times: [R, G], how often each group was drawn.
        """
        # mIoU over the classes that occur in the draw: the matrices of the drawn groups added up.
        shape = self.confusion.shape[1:]
        iou = iou_per_class((times @ self.confusion.reshape(len(self.pixels), -1)).reshape(-1, *shape))
        present = ~np.isnan(iou)
        miou = np.divide(
            np.where(present, iou, 0).sum(axis=1),
            present.sum(axis=1),
            out=np.full(len(times), np.nan),
            where=present.any(axis=1),
        )
        # ECE = Σ_b |correct_b − confidence_b| / pixels, each summed over the drawn groups.
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

    :param groups: [N], 0…G−1, the group with which each image is drawn; None: each image alone.
    :param draws: R, the number of draws.
    :param level: share of the draws that the interval holds, 0…1.
    :param seed: of the random generator; the same seed gives the same result.
    :raises ValueError: if no pixel is labelled.
    """
    group = np.arange(len(first)) if groups is None else groups
    tables = [Tables.of(scores, group) for scores in (first, second)]
    number = len(tables[0].pixels)
    if not tables[0].pixels.sum():
        raise ValueError("no labelled pixel")
    found: list[NDArray[np.float64]] = []
    for times in _drawn(number, draws, seed):
        miou, ece = tables[0].scores(times)
        other_miou, other_ece = tables[1].scores(times)
        found.append(np.stack([other_miou - miou, other_ece - ece]))
    differences = np.concatenate(found, axis=1)
    # The scores themselves are those of every image taken once.
    once = np.ones((1, number))
    miou, ece = tables[0].scores(once)
    other_miou, other_ece = tables[1].scores(once)
    return (
        _difference(miou[0], other_miou[0], differences[0], level, number),
        _difference(ece[0], other_ece[0], differences[1], level, number),
    )


def bootstrap_of_pairs(
    pairs: Sequence[tuple[ImageScores, ImageScores]],
    draws: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
) -> Difference:
    """Compare several pairs of models on the same images, by the mean of the pairs' differences in mIoU.

    An image is drawn for all models at once. The pairs' scores are averaged, not their pixels pooled, whose
    mIoU would be another.

    :param pairs: one or more; for example, of each seed a baseline and the model that is compared with it.
    :param draws: number of draws.
    :param level: share of the draws that the interval holds, 0…1.
    :param seed: of the random generator; the same seed gives the same result.
    :raises ValueError: if no pixel is labelled.
    """
    number = len(pairs[0][0])
    group = np.arange(number)
    tables = [(Tables.of(first, group), Tables.of(second, group)) for first, second in pairs]
    if not tables[0][0].pixels.sum():
        raise ValueError("no labelled pixel")

    def means(times: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the mean mIoU of the first models and of the second ones for each draw."""
        first = np.mean([pair[0].scores(times)[0] for pair in tables], axis=0)
        second = np.mean([pair[1].scores(times)[0] for pair in tables], axis=0)
        return first, second

    found = []
    for times in _drawn(number, draws, seed):
        first, second = means(times)
        found.append(second - first)
    first, second = means(np.ones((1, number)))
    return _difference(first[0], second[0], np.concatenate(found), level, number)


def _drawn(number: int, draws: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Yield how often each of so many groups is drawn, [R, G], for some draws at a time."""
    rng = np.random.default_rng(seed)
    for start in range(0, draws, DRAWS_AT_ONCE):
        size = min(DRAWS_AT_ONCE, draws - start)
        yield rng.multinomial(number, np.full(number, 1 / number), size).astype(float)


def compare_by_condition(
    first: ImageScores, second: ImageScores, by: str, draws: int
) -> dict[str, tuple[Difference, Difference]]:
    """Return the differences in mIoU and in ECE by condition; conditions without labels are left out.

    :param by: ``image`` or ``sequence``, what is drawn.
    """
    results = {}
    for condition in (FULL, *dict.fromkeys(first.conditions.tolist())):
        chosen = np.full(len(first), True) if condition == FULL else first.conditions == condition
        if first.count[chosen].sum():
            ours, others = first.only(chosen), second.only(chosen)
            groups = sequences(ours) if by == "sequence" else None
            results[condition] = paired_bootstrap(ours, others, groups, draws)
    return results


def sequences(images: ImageScores) -> NDArray[np.int64]:
    """Return the number of each image's sequence, [N]: the images of one folder are a sequence."""
    folders = [str(PurePosixPath(name).parent) for name in images.names.tolist()]
    return np.unique(folders, return_inverse=True)[1]


def _sum_groups(values: NDArray[np.number], group: NDArray[np.int64]) -> NDArray[np.float64]:
    """Sum the rows [N, …] of each group, [G, …]."""
    total = np.zeros((int(group.max()) + 1, *values.shape[1:]))
    np.add.at(total, group, values)
    return total


def _difference(
    first: float, second: float, draws: NDArray[np.float64], level: float, units: int
) -> Difference:
    """Describe a score's difference; draws without a score (NaN) are left out."""
    draws = draws[~np.isnan(draws)]
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Difference(float(first), float(second), float(low), float(high), float((draws > 0).mean()), units)
