"""All scores of a segmentation in one pass over the probabilities of all classes, image by image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from distill.metrics.calibration import ConfidenceBins
from distill.metrics.cells import coarsen, equal_edges
from distill.metrics.exact_auprc import KeptScores
from distill.metrics.mask_accumulator import MaskAccumulator
from distill.metrics.pieces import in_pieces
from distill.metrics.precision_recall import Auprc, Rule, auprc
from distill.metrics.proper_scores import mean_or_nan
from distill.metrics.sums import Sums
from distill.metrics.sweep import sweep


class Accumulator(MaskAccumulator):
    """Running sums over the images of one condition, with AUPRC, Brier score, NLL and class-wise calibration.

    Memory does not grow with the number of images, but for ``exact``. Images of which only mask and
    confidence are known (:meth:`update_mask`) count nothing for these further scores.

    :param num_classes: C, at most ``ignore``.
    :param bins: see :class:`~distill.metrics.mask_accumulator.MaskAccumulator`.
    :param thresholds: of the AUPRC, linspace(0, 1, thresholds); at least 2.
    :param batch_size: images in a batch of :meth:`ece_batched`.
    :param exact: keep all probabilities for :meth:`exact_auprc`.
    :param ignore: id of pixels without a label, and of a mask's pixels without a class.
    """

    _sums: Sums

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
        self._thresholds = equal_edges(thresholds - 1)
        super().__init__(num_classes, bins, batch_size, ignore, self._thresholds)
        self._kept = KeptScores(num_classes) if exact else None

    def update(self, scores: Tensor | ArrayLike, labels: Tensor | ArrayLike, logits: bool = False) -> None:
        """Add an image of which the probabilities of all classes are known.

        :param scores: float [C, H, W], probabilities of the classes, or logits; processed on their device.
        :param labels: integers [H, W], 0…C−1 or ``ignore``.
        :raises ValueError: if the shapes or values are others.
        """
        scores = torch.as_tensor(scores).detach()
        labels = labels if isinstance(labels, Tensor) else torch.from_numpy(np.array(labels))
        labels = labels.to(scores.device)
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
            sums = self._zeros()
            sums.count_all(*sweep(scores[:, part], labels[part], edges, logits, self.ignore), edges)
            return sums

        image = self._zeros()
        for piece in in_pieces(count, len(labels), scores.device):
            image.add(piece)
        self._add_image(image)
        if self._kept is not None:
            counted = labels != self.ignore
            kept = scores[:, counted].float()
            self._kept.update(kept.softmax(0) if logits else kept, labels[counted])

    def merge(self, other: MaskAccumulator) -> None:
        """Add another's images; its batches of :meth:`ece_batched` stay as they are, the last one smaller.

        :raises ValueError: if it was made with other options.
        """
        super().merge(other)
        if self._kept is not None and isinstance(other, Accumulator) and other._kept is not None:
            self._kept.merge(other._kept)

    def state(self) -> dict[str, NDArray[Any]]:
        """Copy the sums as int64 and float64 arrays of fixed shapes: those of several processes add up.

        The unfinished batch of :meth:`ece_batched` ends here.

        :raises ValueError: with ``exact``, whose scores do not add up: send the accumulator and merge it.
        """
        if self._kept is not None:
            raise ValueError("the scores kept for exact AUPRC do not add up: merge the accumulators")
        return super().state()

    def add_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Add another's :meth:`state`, or the sum of several; the accumulators must have the same options.

        :raises ValueError: if the arrays have other names or shapes, or with ``exact``.
        """
        if self._kept is not None:
            raise ValueError("this state is of an accumulator with other options")
        super().add_state(state)

    def bins_by_class(self, bins: int | None = None) -> list[ConfidenceBins]:
        """Return, for each class, all pixels by its probability; images added by their mask do not count."""
        s = self._sums
        rows = zip(s.positives + s.negatives, s.probability, s.positives, strict=True)
        return [self._coarse(bins, *row) for row in rows]

    def classwise_ece(self, bins: int | None = None) -> float:
        """Return the mean of the class-wise ECE over all classes, 0…1."""
        return float(np.mean([row.ece() for row in self.bins_by_class(bins)]))

    def auprc(self, rule: Rule = "step") -> Auprc:
        """Return the area under the precision-recall curve (AUPRC) of each class, from fixed thresholds."""
        positives = coarsen(self._sums.positives, self._edges, self._thresholds)
        negatives = coarsen(self._sums.negatives, self._edges, self._thresholds)
        return Auprc(auprc(positives, negatives, rule), rule, len(self._thresholds))

    def exact_auprc(self) -> Auprc:
        """Return the area under the precision-recall curve of each class, with every score as a threshold.

        :raises ValueError: unless made with ``exact``.
        """
        if self._kept is None:
            raise ValueError("exact AUPRC needs Accumulator(…, exact=True)")
        return Auprc(self._kept.auprc(), "step", None)

    def brier(self) -> float:
        """Return the Brier score over all classes, 0…2."""
        return mean_or_nan(float(self._sums.brier[0]), int(self._sums.positives.sum()))

    def nll(self) -> float:
        """Return the negative log-likelihood (NLL) in nats, 0…∞."""
        return mean_or_nan(float(self._sums.nll[0]), int(self._sums.positives.sum()))

    def _zeros(self) -> Sums:
        return Sums.zeros(self.num_classes, len(self._edges))

    def _options(self) -> tuple[object, ...]:
        return *super()._options(), len(self._thresholds), self._kept is not None
