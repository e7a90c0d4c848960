"""Expected calibration error (ECE): how far confidence is from accuracy.

Guo et al., "On calibration of modern neural networks", ICML 2017. Pixels are sorted by confidence
(the largest class probability) into equal bins; with n_b, acc_b and conf_b a bin's pixel count, share
of correct pixels and mean confidence::

    ECE = Σ_b n_b/n · |acc_b − conf_b|

Edges are those of :func:`~distill.metrics.cells.equal_edges`, in FP32; an edge belongs to the bin above it.
The last bin is closed: confidence of exactly 1, to which a softmax in FP32 often saturates, belongs to it, as
in that paper and in the package netcal. torchmetrics' MulticlassCalibrationError counts those pixels as a bin
of their own. The two differ where the gaps of the last bin and of exactly 1 have opposite signs, so the sums
keep the cell of exactly 1 apart, and :meth:`ConfidenceBins.ece_torchmetrics` gives the other value.

Per class there are two definitions, and both are sums over such bins:

*by predicted class*: the pixels that were predicted as class c, by their confidence. This tells how far the
vehicle can trust a pixel that says c.

*class-wise* (Nixon et al., "Measuring calibration in deep learning", CVPR workshops 2019; Kull et al.,
"Beyond temperature scaling", NeurIPS 2019): all pixels, by the probability of class c, "correct" where the
label is c. One binary problem per class; the class-wise ECE is the mean over the classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from distill.metrics.cells import equal_edges

Number = TypeVar("Number", bound=np.generic)


class Reliability(NamedTuple):
    """The reliability diagram's bars, one per bin; the last bin includes confidence 1."""

    confidence: npt.NDArray[np.float64]
    """Mean confidence; NaN in an empty bin."""
    accuracy: npt.NDArray[np.float64]
    """Share of correct pixels; NaN in an empty bin."""
    share: npt.NDArray[np.float64]
    """Share of all pixels, sums to 1; NaN if there are no pixels."""


class ConfidenceBins:
    """Running sums per confidence bin; constant in memory, mergeable."""

    def __init__(self, bins: int = 15) -> None:
        self._edges = equal_edges(bins)
        self.bins = bins
        # One cell more than bins: confidence exactly 1.
        self._count = np.zeros(bins + 1, np.int64)
        self._confidence = np.zeros(bins + 1, np.float64)
        self._correct = np.zeros(bins + 1, np.float64)

    @classmethod
    def from_sums(
        cls, count: npt.ArrayLike, confidence: npt.ArrayLike, correct: npt.ArrayLike
    ) -> ConfidenceBins:
        """Make bins of the number of pixels, sum of confidence and number of correct pixels of each.

        All three are [bins + 1]; the last value is that of confidence exactly 1.
        """
        result = cls(len(np.asarray(count)) - 1)
        result._count += np.asarray(count)
        result._confidence += np.asarray(confidence)
        result._correct += np.asarray(correct)
        return result

    def update(self, confidence: npt.ArrayLike, correct: npt.ArrayLike) -> None:
        """Add pixels; leave out those without a label.

        :param confidence: 0…1, any shape.
        :param correct: bool, same shape.
        :raises ValueError: if shapes differ or a confidence is outside 0…1 or NaN.
        """
        confidence = np.asarray(confidence).ravel()
        correct = np.asarray(correct, bool).ravel()
        if confidence.shape != correct.shape:
            raise ValueError(f"{confidence.size} confidences for {correct.size} correct")
        if confidence.size == 0:
            return
        if not (confidence.min() >= 0 and confidence.max() <= 1):
            raise ValueError("confidences must lie in 0…1")
        cell = np.searchsorted(self._edges, confidence.astype(np.float32), side="right") - 1
        cells = self.bins + 1
        self._count += np.bincount(cell, minlength=cells)
        self._confidence += np.bincount(cell, weights=confidence, minlength=cells)
        self._correct += np.bincount(cell, weights=correct, minlength=cells)

    def merge(self, other: ConfidenceBins) -> None:
        """Add another's pixels; both must have the same number of bins."""
        if other.bins != self.bins:
            raise ValueError(f"cannot merge {other.bins} bins into {self.bins}")
        self._count += other._count
        self._confidence += other._confidence
        self._correct += other._correct

    def sums(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Copy what :meth:`from_sums` takes, [bins + 1] each."""
        return self._count.copy(), self._confidence.copy(), self._correct.copy()

    @property
    def pixels(self) -> int:
        """How many pixels were added."""
        return int(self._count.sum())

    def ece(self) -> float:
        """Return the expected calibration error over all pixels, 0…1; NaN without pixels."""
        return self._mean_gap(closed_last_bin(self._correct - self._confidence))

    def ece_torchmetrics(self) -> float:
        """Return the ECE as torchmetrics computes it: confidence exactly 1 is a bin of its own.

        :return: 0…1, never below :meth:`ece`; NaN without pixels.
        """
        return self._mean_gap(self._correct - self._confidence)

    def _mean_gap(self, gap: npt.NDArray[np.float64]) -> float:
        """Return the sum of the bins' gaps (correct pixels minus summed confidence) per pixel."""
        return float(np.abs(gap).sum() / self.pixels) if self.pixels else float("nan")

    def reliability(self) -> Reliability:
        """Mean confidence, accuracy and share of pixels per bin, float64 [bins]."""
        count = closed_last_bin(self._count).astype(np.float64)
        confidence, correct = closed_last_bin(self._confidence), closed_last_bin(self._correct)
        with np.errstate(invalid="ignore"):  # 0/0 = NaN in empty bins
            return Reliability(confidence / count, correct / count, count / count.sum())


def closed_last_bin(cells: npt.NDArray[Number]) -> npt.NDArray[Number]:
    """Add the cell of confidence exactly 1 to the last bin: [..., bins + 1] → [..., bins]."""
    last = cells[..., -2:].sum(axis=-1, keepdims=True)
    return np.concatenate([cells[..., :-2], last], axis=-1)


def ece_of_bars(bars: Mapping[str, Sequence[float | None]]) -> float | None:
    """Return the ECE, 0…1, of a stored reliability diagram; None if it counts no pixel.

    :param bars: ``confidence``, ``accuracy`` and ``share`` of each bin, as in :class:`Reliability`, None for
        NaN.
    """
    total, any_pixel = 0.0, False
    for confidence, accuracy, share in zip(bars["confidence"], bars["accuracy"], bars["share"], strict=True):
        if share and confidence is not None and accuracy is not None:
            total += share * abs(accuracy - confidence)
            any_pixel = True
    return total if any_pixel else None


class BatchedEce:
    """``ece_batched16``: the mean of the ECE of consecutive batches of 16 images, as the thesis reports it.

    Each batch's ECE is an absolute value of noise as well as of miscalibration, so the mean is biased
    upwards; it is for comparison with the thesis only. The last batch may be smaller; batches without
    a labelled pixel are left out.

    What is merged keeps its batches, the last of them smaller: parts of a data set give the value of the
    whole if each but the last is a multiple of 16 images long.
    """

    def __init__(self, batch_size: int = 16, bins: int = 15) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, not {batch_size}")
        self.batch_size = batch_size
        self._batch = ConfidenceBins(bins)
        self._images = 0
        self._sum = 0.0
        self._batches = 0

    def add(self, image: ConfidenceBins) -> None:
        """Add one image's pixels; the order of images matters."""
        self._batch.merge(image)
        self._images += 1
        if self._images == self.batch_size:
            self._sum, self._batches = self.totals()
            self._batch = ConfidenceBins(self._batch.bins)
            self._images = 0

    def totals(self) -> tuple[float, int]:
        """Return the sum of the batches' ECE and their number, as if the unfinished batch ended here."""
        if not self._batch.pixels:
            return self._sum, self._batches
        return self._sum + self._batch.ece(), self._batches + 1

    def merge(self, total: float, batches: int) -> None:
        """Add another's :meth:`totals`; the unfinished batch stays open."""
        self._sum += total
        self._batches += batches

    def ece(self) -> float:
        """Return the mean over all batches, the unfinished one included, 0…1; NaN without pixels."""
        total, batches = self.totals()
        return total / batches if batches else float("nan")
