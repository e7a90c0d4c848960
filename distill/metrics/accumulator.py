"""All scores of a segmentation in one pass over its predictions, image by image.

Memory does not grow with the number of images (but for ``exact``), and several accumulators merge: hold
one per condition, and the whole is their sum. Across processes, add up the arrays of
:meth:`Accumulator.state`. Undefined values (no pixel, an absent class) are NaN.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from distill.metrics.calibration import BatchedEce, ConfidenceBins
from distill.metrics.cells import coarsen, equal_edges, union
from distill.metrics.exact_auprc import KeptScores
from distill.metrics.pieces import in_pieces
from distill.metrics.precision_recall import Auprc, Rule, auprc
from distill.metrics.proper_scores import mean_or_nan
from distill.metrics.sums import Sums
from distill.metrics.sweep import sweep


class Accumulator:
    """Running sums over the images of one condition.

    :param num_classes: C, at most ``ignore``.
    :param bins: numbers of confidence bins that are wanted; the first is the default of what is asked for,
        and that of ``ece_batched16``. ``(15, *range(1, 21))`` for all of 1…20.
    :param thresholds: of the AUPRC, linspace(0, 1, thresholds).
    :param batch_size: images in a batch of :meth:`ece_batched`.
    :param exact: keep all probabilities for :meth:`exact_auprc`.
    :param ignore: id of what has no label, and of a mask's pixels without a class.
    """

    def __init__(
        self,
        num_classes: int,
        bins: Sequence[int] = (15,),
        thresholds: int = 20,
        batch_size: int = 16,
        exact: bool = False,
        ignore: int = 255,
    ) -> None:
        if thresholds < 2:
            raise ValueError(f"thresholds must be at least 2, not {thresholds}")
        self.num_classes, self.ignore = num_classes, ignore
        self._bins, self._thresholds = bins[0], equal_edges(thresholds - 1)
        self._edges = union([*(equal_edges(n) for n in bins), self._thresholds])
        self._sums = Sums.zeros(num_classes, len(self._edges))
        self._batched = BatchedEce(batch_size, self._bins)
        self._kept = KeptScores(num_classes) if exact else None

    def update(self, scores: Tensor | ArrayLike, labels: Tensor | ArrayLike, logits: bool = False) -> None:
        """Add an image.

        :param scores: float [C, H, W], probabilities of the classes, or logits; worked on where it lies.
        :param labels: integers [H, W], 0…C−1 or ``ignore``.
        :raises ValueError: if shapes or values are others.
        """
        scores = torch.as_tensor(scores).detach()
        labels = _tensor(labels).to(scores.device)
        if labels.is_floating_point():
            raise ValueError(f"labels must be integers, not {labels.dtype}")
        if scores.ndim != 3 or len(scores) != self.num_classes or scores.shape[1:] != labels.shape:
            raise ValueError(
                f"scores {tuple(scores.shape)} and labels {tuple(labels.shape)} "
                f"are not [{self.num_classes}, H, W] and [H, W]"
            )
        scores, labels = scores.flatten(1), labels.flatten()
        edges = torch.from_numpy(self._edges).to(scores.device)

        def count(part: slice) -> Sums:
            sums = Sums.zeros(self.num_classes, len(edges))
            sums.count_all(*sweep(scores[:, part], labels[part], edges, logits, self.ignore), edges)
            return sums

        image = Sums.zeros(self.num_classes, len(edges))
        for piece in in_pieces(count, len(labels), scores.device):
            image.add(piece)
        self._add(image)
        if self._kept is not None:
            counted = labels != self.ignore
            kept = scores[:, counted].float()
            self._kept.update(kept.softmax(0) if logits else kept, labels[counted])

    def update_top(
        self, labels: Tensor | ArrayLike, mask: Tensor | ArrayLike, confidence: Tensor | ArrayLike
    ) -> None:
        """Add an image of which only the mask and its confidence are known: no AUPRC, Brier score and NLL.

        :param labels: integers, any shape, 0…C−1 or ``ignore``.
        :param mask: integers likewise; ``ignore`` where the network abstained, which is never correct.
        :param confidence: floats of that shape, 0…1.
        :raises ValueError: if shapes or values are others.
        """
        label, predicted, probability = (_tensor(a) for a in (labels, mask, confidence))
        if not label.shape == predicted.shape == probability.shape:
            raise ValueError("labels, mask and confidence differ in shape")
        counted = label != self.ignore
        label, predicted, probability = label[counted].long(), predicted[counted].long(), probability[counted]
        abstained = predicted == self.ignore
        _check_range("labels", label, self.num_classes - 1)
        _check_range("the mask", predicted[~abstained], self.num_classes - 1)
        _check_range("confidence", probability, 1)
        image = Sums.zeros(self.num_classes, len(self._edges))
        edges = torch.from_numpy(self._edges).to(probability.device)
        image.count_top(label, predicted.masked_fill(abstained, self.num_classes), probability.float(), edges)
        self._add(image)

    def merge(self, other: Accumulator) -> None:
        """Add another's images; its batches of :meth:`ece_batched` stay as they are, the last one smaller.

        :raises ValueError: if it was made with other options.
        """
        if self._options() != other._options():
            raise ValueError("only accumulators of the same options merge")
        self._add_state(other._state())
        if self._kept is not None and other._kept is not None:
            self._kept.merge(other._kept)

    def state(self) -> dict[str, NDArray[Any]]:
        """Copy the sums as int64 and float64 arrays of fixed shapes: those of processes add up.

        The batch at hand of :meth:`ece_batched` ends here.

        :raises ValueError: with ``exact``, whose scores do not add up: send the accumulator and merge it.
        """
        if self._kept is not None:
            raise ValueError("the scores kept for exact AUPRC do not add up: merge the accumulators")
        return {name: array.copy() for name, array in self._state().items()}

    def add_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Add another's :meth:`state`, or the sum of several; the accumulators must have the same options.

        :raises ValueError: if the arrays are others, or of other shapes.
        """
        mine = {name: array.shape for name, array in self._state().items()}
        if {name: array.shape for name, array in state.items()} != mine or self._kept is not None:
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
        """All pixels by the confidence of their prediction: ECE and reliability diagram."""
        return self._bins_of(self._sums, bins)

    def bins_by_prediction(self, bins: int | None = None) -> list[ConfidenceBins]:
        """Calibration of each predicted class, see :mod:`distill.metrics.calibration`."""
        s = self._sums
        rows = zip(s.count[:-1], s.confidence[:-1], s.correct[:-1], strict=True)
        return [self._coarse(bins, *row) for row in rows]

    def bins_by_class(self, bins: int | None = None) -> list[ConfidenceBins]:
        """Class-wise calibration: all pixels by the probability of one class; with all probabilities only."""
        s = self._sums
        rows = zip(s.positives + s.negatives, s.probability, s.positives, strict=True)
        return [self._coarse(bins, *row) for row in rows]

    def classwise_ece(self, bins: int | None = None) -> float:
        """Mean of the class-wise ECE over all classes, 0…1."""
        return float(np.mean([row.ece() for row in self.bins_by_class(bins)]))

    def ece_batched(self) -> float:
        """Mean ECE of consecutive batches of images, see :class:`~distill.metrics.calibration.BatchedEce`."""
        return self._batched.ece()

    def auprc(self, rule: Rule = "step") -> Auprc:
        """Area under the precision-recall curve of each class, from fixed thresholds."""
        tables = (self._sums.positives, self._sums.negatives)
        positives, negatives = (coarsen(table, self._edges, self._thresholds) for table in tables)
        return Auprc(auprc(positives, negatives, rule), rule, len(self._thresholds))

    def exact_auprc(self) -> Auprc:
        """Area under the precision-recall curve of each class, with every score as a threshold.

        :raises ValueError: unless made with ``exact``.
        """
        if self._kept is None:
            raise ValueError("exact AUPRC needs Accumulator(…, exact=True)")
        return Auprc(self._kept.auprc(), "step", None)

    def brier(self) -> float:
        """Brier score over all classes, 0…2."""
        return mean_or_nan(float(self._sums.brier[0]), int(self._sums.positives.sum()))

    def nll(self) -> float:
        """Negative log-likelihood, nats."""
        return mean_or_nan(float(self._sums.nll[0]), int(self._sums.positives.sum()))

    def _add(self, image: Sums) -> None:
        image.images += 1
        self._sums.add(image)
        self._batched.add(self._bins_of(image, self._bins))

    def _bins_of(self, sums: Sums, bins: int | None) -> ConfidenceBins:
        tables = (sums.count, sums.confidence, sums.correct)
        return self._coarse(bins, *(table.sum(axis=0) for table in tables))

    def _coarse(self, bins: int | None, *rows: NDArray[Any]) -> ConfidenceBins:
        wanted = equal_edges(bins or self._bins)
        return ConfidenceBins.from_sums(*(coarsen(row, self._edges, wanted) for row in rows))

    def _options(self) -> tuple[object, ...]:
        edges = (self._bins, len(self._thresholds), self._edges.tobytes())
        return self.num_classes, self.ignore, edges, self._batched.batch_size, self._kept is not None

    def _state(self) -> dict[str, NDArray[Any]]:
        total, batches = self._batched.totals()
        return {**self._sums.arrays(), "batch_ece": np.array([total]), "batches": np.array([batches])}

    def _add_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        self._sums.add(Sums(**{name: state[name] for name in self._sums.arrays()}))
        self._batched.merge(float(state["batch_ece"][0]), int(state["batches"][0]))


def _tensor(values: Tensor | ArrayLike) -> Tensor:
    return values if isinstance(values, Tensor) else torch.from_numpy(np.array(values))


def _check_range(name: str, values: Tensor, highest: int) -> None:
    if not ((values >= 0) & (values <= highest)).all():
        raise ValueError(f"{name} must lie in 0…{highest}")
