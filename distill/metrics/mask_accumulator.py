"""IoU and calibration error (ECE) of masks and their confidence, in one pass image by image, in NumPy alone.

Mask and confidence are all that a model on the vehicle publishes. The scores that need the probabilities of
all classes are added by :class:`~distill.metrics.accumulator.Accumulator`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from distill.metrics.calibration import BatchedEce, ConfidenceBins
from distill.metrics.cells import coarsen, equal_edges, union
from distill.metrics.confusion import confusion_matrix
from distill.metrics.risk_coverage import LEVELS, RiskCoverage, risk_coverage


@dataclass
class MaskSums:
    """Sums over labelled pixels: plain arrays, whose addition merges images and processes.

    C classes, K cells of probability (:mod:`distill.metrics.cells`). Counts are int64 and the rest float64,
    so that nothing is lost over hundreds of images of two million pixels.
    """

    images: NDArray[np.int64]
    """[1], how many images were added."""
    confusion: NDArray[np.int64]
    """[C, C + 1], see :func:`~distill.metrics.confusion.confusion_matrix`."""
    count: NDArray[np.int64]
    """[C + 1, K], pixels by predicted class and cell of the confidence; the last row: without a class."""
    correct: NDArray[np.int64]
    """[C + 1, K], how many of them were predicted correctly."""
    confidence: NDArray[np.float64]
    """[C + 1, K], sum of their confidence."""
    by_level: NDArray[np.int64]
    """[C + 1, 256], pixels by predicted class and published confidence, round(255 · p)."""
    right_by_level: NDArray[np.int64]
    """[C + 1, 256], how many of them were predicted correctly."""

    @classmethod
    def zeros(cls, classes: int, cells: int) -> MaskSums:
        """Return the sums over no image, for C classes and K cells."""
        return MaskSums(
            images=np.zeros(1, np.int64),
            confusion=np.zeros((classes, classes + 1), np.int64),
            count=np.zeros((classes + 1, cells), np.int64),
            correct=np.zeros((classes + 1, cells), np.int64),
            confidence=np.zeros((classes + 1, cells)),
            by_level=np.zeros((classes + 1, LEVELS), np.int64),
            right_by_level=np.zeros((classes + 1, LEVELS), np.int64),
        )

    def add(self, other: MaskSums) -> None:
        """Add the pixels of other sums of the same shapes."""
        for name, array in self.arrays().items():
            array += getattr(other, name)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays by name; not copies."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


class MaskAccumulator:
    """Running sums over the images of one condition; memory does not grow with their number.

    Accumulators of the same options merge: hold one per condition, and the whole is their sum. Across
    processes, add up the arrays of :meth:`state`. Undefined values (no pixel, an absent class) are NaN.

    :param num_classes: C, at most ``ignore``.
    :param bins: the numbers of confidence bins that will be asked for; the first is the default of every
        method, and that of ``ece_batched16``. ``(15, *range(1, 21))`` for all of 1…20.
    :param batch_size: images in a batch of :meth:`ece_batched`.
    :param ignore: id of pixels without a label, and of a mask's pixels without a class; at most 255.
    :param thresholds: further probabilities, float32, that the cells must keep apart.
    """

    def __init__(
        self,
        num_classes: int,
        bins: Sequence[int] = (15,),
        batch_size: int = 16,
        ignore: int = 255,
        thresholds: NDArray[np.float32] | None = None,
    ) -> None:
        self.num_classes, self.ignore = num_classes, ignore
        self._bins = bins[0]
        edges = [equal_edges(number) for number in bins]
        self._edges = union(edges if thresholds is None else [*edges, thresholds])
        self._sums = self._zeros()
        self._batched = BatchedEce(batch_size, self._bins)

    def update_mask(self, labels: ArrayLike, mask: ArrayLike, confidence: ArrayLike) -> None:
        """Add an image of which mask and confidence are known.

        :param labels: integers, any shape, 0…C−1 or ``ignore``.
        :param mask: integers of that shape; ``ignore`` where the network abstained, which is never correct.
        :param confidence: floats of that shape, 0…1.
        :raises ValueError: if the shapes differ, or a labelled pixel has any other value.
        """
        all_labels, all_mask = np.asarray(labels), np.asarray(mask)
        all_confidence = np.asarray(confidence, np.float32)
        if not all_labels.shape == all_mask.shape == all_confidence.shape:
            raise ValueError("labels, mask and confidence differ in shape")
        image = MaskSums.zeros(self.num_classes, len(self._edges))
        image.confusion += confusion_matrix(all_labels, all_mask, self.num_classes, self.ignore)

        counted = all_labels != self.ignore
        label, predicted, probability = all_labels[counted], all_mask[counted], all_confidence[counted]
        if not ((probability >= 0) & (probability <= 1)).all():  # NaN is neither
            raise ValueError("confidence must lie in 0…1")
        # One histogram over (predicted class, cell of the confidence), numbered row by row.
        rows, cells = image.count.shape
        row = np.where(predicted == self.ignore, self.num_classes, predicted).astype(np.int64)
        key = row * cells + np.searchsorted(self._edges, probability, side="right") - 1
        hits = key[predicted == label]
        weights = probability.astype(np.float64)
        image.count += np.bincount(key, minlength=rows * cells).reshape(rows, cells)
        image.correct += np.bincount(hits, minlength=rows * cells).reshape(rows, cells)
        image.confidence += np.bincount(key, weights, rows * cells).reshape(rows, cells)
        level = row * LEVELS + np.round(255 * probability).astype(np.int64)
        right = level[predicted == label]
        image.by_level += np.bincount(level, minlength=rows * LEVELS).reshape(rows, LEVELS)
        image.right_by_level += np.bincount(right, minlength=rows * LEVELS).reshape(rows, LEVELS)
        self._add_image(image)

    def merge(self, other: MaskAccumulator) -> None:
        """Add another's images; its batches of :meth:`ece_batched` stay as they are, the last one smaller.

        :raises ValueError: if it was made with other options.
        """
        if self._options() != other._options():
            raise ValueError("only accumulators of the same options merge")
        self._add_state(other._state())

    def state(self) -> dict[str, NDArray[Any]]:
        """Copy the sums as int64 and float64 arrays of fixed shapes: those of several processes add up.

        The unfinished batch of :meth:`ece_batched` ends here.
        """
        return {name: array.copy() for name, array in self._state().items()}

    def add_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Add another's :meth:`state`, or the sum of several; the accumulators must have the same options.

        :raises ValueError: if the arrays have other names or shapes.
        """
        expected = {name: array.shape for name, array in self._state().items()}
        if {name: array.shape for name, array in state.items()} != expected:
            raise ValueError("this state is of an accumulator with other options")
        self._add_state(state)

    @property
    def confusion(self) -> NDArray[np.int64]:
        """Pooled confusion matrix [C, C + 1], see :mod:`distill.metrics.confusion`."""
        return self._sums.confusion.copy()

    @property
    def images(self) -> int:
        """How many images were added."""
        return int(self._sums.images[0])

    @property
    def pixels(self) -> int:
        """How many labelled pixels were added."""
        return int(self._sums.confusion.sum())

    def bins(self, bins: int | None = None) -> ConfidenceBins:
        """Return all pixels by the confidence of their prediction: ECE and reliability diagram."""
        return self._bins_of(self._sums, bins)

    def bins_by_prediction(self, bins: int | None = None) -> list[ConfidenceBins]:
        """Return the calibration of each predicted class, see :mod:`distill.metrics.calibration`."""
        s = self._sums
        rows = zip(s.count[:-1], s.confidence[:-1], s.correct[:-1], strict=True)
        return [self._coarse(bins, *row) for row in rows]

    def risk_coverage(self) -> RiskCoverage:
        """Return the risk-coverage curve of all pixels, see :mod:`distill.metrics.risk_coverage`."""
        return risk_coverage(self._sums.by_level.sum(axis=0), self._sums.right_by_level.sum(axis=0))

    def aurc_by_prediction(self) -> list[float]:
        """Return, for each class, the AURC of the pixels that were predicted as it; NaN if there are none."""
        rows = zip(self._sums.by_level[:-1], self._sums.right_by_level[:-1], strict=True)
        return [risk_coverage(count, right).aurc for count, right in rows]

    def ece_batched(self) -> float:
        """Mean ECE of consecutive batches of images, see :class:`~distill.metrics.calibration.BatchedEce`."""
        return self._batched.ece()

    def _zeros(self) -> MaskSums:
        """Return the sums over no image, of the kind that this class adds up."""
        return MaskSums.zeros(self.num_classes, len(self._edges))

    def _add_image(self, image: MaskSums) -> None:
        image.images += 1
        for name, array in image.arrays().items():
            getattr(self._sums, name)[...] += array
        self._batched.add(self._bins_of(image, self._bins))

    def _bins_of(self, sums: MaskSums, bins: int | None) -> ConfidenceBins:
        tables = (sums.count, sums.confidence, sums.correct)
        return self._coarse(bins, *(table.sum(axis=0) for table in tables))

    def _coarse(self, bins: int | None, *rows: NDArray[Any]) -> ConfidenceBins:
        """Sum rows of cells [K] (count, confidence, correct) into equal bins; None: the default number."""
        wanted = equal_edges(bins or self._bins)
        return ConfidenceBins.from_sums(*(coarsen(row, self._edges, wanted) for row in rows))

    def _options(self) -> tuple[object, ...]:
        """Return what two accumulators must have in common to merge."""
        return (
            type(self),
            self.num_classes,
            self.ignore,
            self._bins,
            self._edges.tobytes(),
            self._batched.batch_size,
        )

    def _state(self) -> dict[str, NDArray[Any]]:
        total, batches = self._batched.totals()
        return {**self._sums.arrays(), "batch_ece": np.array([total]), "batches": np.array([batches])}

    def _add_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        for name, array in self._sums.arrays().items():
            array += state[name]
        self._batched.merge(float(state["batch_ece"][0]), int(state["batches"][0]))
