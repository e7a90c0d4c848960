"""Running scores of masks and their confidence, pooled, per condition and per image, in NumPy alone.

Class ids and confidence are all that a model on the vehicle publishes, so that bags and the running node
are scored with :class:`MaskScores`. :class:`~distill.evaluation.evaluation.Evaluation` adds the scores that
need the probabilities of all classes, and PyTorch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from distill.common.files import plain
from distill.evaluation.image_scores import ImageScores
from distill.evaluation.metrics_json import FULL, condition_key
from distill.metrics import BatchedEce, ConfidenceBins, iou_per_class, mean_iou
from distill.metrics.mask_accumulator import MaskAccumulator
from distill.metrics.risk_coverage import CURVE
from kd_seg_ros.common.classes import IGNORE_ID

BINS: Final = 15
"""Number of confidence bins of the ECE, as in the thesis."""


class MaskScores:
    """Running scores over labelled images.

    :param class_names: by trainId.
    :param keep_images: keep the tables of every single image for :meth:`images`, about four kilobytes each
        for 19 classes; without them the memory does not grow.
    """

    def __init__(self, class_names: Sequence[str], keep_images: bool = True) -> None:
        self.class_names = tuple(class_names)
        self._keep_images = keep_images
        self._conditions = {FULL: self._accumulator()}
        # Images are merged one by one, so that an accumulator's own batches hold one image each.
        self._batched = {FULL: BatchedEce(bins=BINS)}
        self._images: list[tuple[str, str, NDArray[np.int64], ConfidenceBins]] = []

    def update_mask(
        self,
        condition: str | None,
        name: str,
        labels: NDArray[np.uint8],
        mask: NDArray[np.uint8],
        confidence: NDArray[np.floating[Any]],
    ) -> None:
        """Add an image.

        :param condition: the image counts here and in the total; None: in the total only.
        :param name: names the image in :meth:`images`.
        :param labels: uint8 [H, W], trainIds or 255 (ignored).
        :param mask: uint8 [H, W], predicted trainIds, or 255 where the model abstained.
        :param confidence: [H, W], probability of the predicted class, 0…1.
        :raises ValueError: if the shapes differ or a labelled pixel has any other value.
        """
        image = self._accumulator()
        image.update_mask(labels, mask, confidence)
        self._add(condition, name, image)

    def summary(self) -> dict[str, dict[str, Any]]:
        """Return the ``scores`` of metrics.json by condition, FULL first; undefined values are None."""
        return {condition: self._summary(condition) for condition in self._conditions}

    def images(self) -> ImageScores:
        """Return the tables of the single images, in the order in which they were added.

        :raises ValueError: if no images were added or kept.
        """
        if not self._images:
            raise ValueError("no single images were added or kept")
        sums = [bins.sums() for _, _, _, bins in self._images]
        return ImageScores(
            names=np.array([name for name, _, _, _ in self._images]),
            conditions=np.array([condition for _, condition, _, _ in self._images]),
            confusion=np.stack([confusion for _, _, confusion, _ in self._images]),
            count=np.stack([count for count, _, _ in sums]),
            confidence=np.stack([confidence for _, confidence, _ in sums]),
            correct=np.stack([correct for _, _, correct in sums]).astype(np.int64),
        )

    def _accumulator(self) -> MaskAccumulator:
        """Return empty sums: of a condition, or of the next image."""
        return MaskAccumulator(len(self.class_names), (BINS,), ignore=IGNORE_ID)

    def _add(self, condition: str | None, name: str, image: MaskAccumulator) -> None:
        """Add the sums of one image to those of its condition and of all images."""
        bins = image.bins(BINS)
        own = condition_key(condition)
        for key in dict.fromkeys((FULL, own)):
            if key not in self._conditions:
                self._conditions[key], self._batched[key] = self._accumulator(), BatchedEce(bins=BINS)
            self._conditions[key].merge(image)
            self._batched[key].add(bins)
        if self._keep_images:
            self._images.append((name, own, image.confusion, bins))

    def _summary(self, condition: str) -> dict[str, Any]:
        """Return the scores of one condition as JSON has them; None for those that need all classes."""
        sums = self._conditions[condition]
        bins = sums.bins(BINS)
        confusion = sums.confusion
        hits, pixels = int(np.trace(confusion)), sums.pixels
        bars = bins.reliability()
        curve = sums.risk_coverage()
        reliability = {name: list(map(plain, values.tolist())) for name, values in bars._asdict().items()}
        return {
            "images": sums.images,
            "pixels": pixels,
            "miou": plain(mean_iou(confusion)),
            "accuracy": hits / pixels if pixels else None,
            "iou": self._by_class(iou_per_class(confusion)),
            "ece": plain(bins.ece()),
            "ece_torchmetrics": plain(bins.ece_torchmetrics()),
            "ece_batched16": plain(self._batched[condition].ece()),
            "ece_per_class": self._by_class(part.ece() for part in sums.bins_by_prediction(BINS)),
            "reliability": reliability,
            "aurc": plain(curve.aurc),
            "eaurc": plain(curve.excess),
            "aurc_per_class": self._by_class(sums.aurc_by_prediction()),
            "risk_coverage": {
                "confidence": [level / 255 for level in CURVE],
                "coverage": [plain(float(curve.coverage[level])) for level in CURVE],
                "risk": [plain(float(curve.risk[level])) for level in CURVE],
            },
            "confusion": confusion.tolist(),
            "ece_classwise": None,
            "auprc": None,
            "auprc_exact": None,
            "brier": None,
            "nll": None,
        }

    def _by_class(self, values: Iterable[float]) -> dict[str, float | None]:
        """Name the values of all classes, in the order of the trainIds."""
        return dict(zip(self.class_names, map(plain, values), strict=True))
