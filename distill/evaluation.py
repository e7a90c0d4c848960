"""Scoring a segmenter on labelled images, in total and per condition, in one pass of constant memory."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.metrics import BatchedEce, ConfidenceBins, confusion_matrix, iou_per_class, mean_iou
from kd_seg_ros import __version__
from kd_seg_ros.classes import CLASS_NAMES, IGNORE_ID
from kd_seg_ros.errors import UserError

SCHEMA_VERSION = 1
"""Of metrics.json; see docs/metrics.md."""

FULL = "full"
"""All conditions pooled."""

Segmenter = Callable[[NDArray[np.uint8]], tuple[NDArray[np.uint8], NDArray[np.float32]]]
"""RGB image [H, W, 3] → class ids [H, W] and probability of that class [H, W]."""


class Scores:
    """Running sums over the images of one condition."""

    def __init__(self, class_names: Sequence[str]) -> None:
        self.class_names = class_names
        self.images = 0
        self.confusion = np.zeros((len(class_names), len(class_names) + 1), np.int64)
        self.bins = ConfidenceBins()
        self.batched = BatchedEce()

    def update(
        self, labels: NDArray[np.uint8], mask: NDArray[np.uint8], probability: NDArray[np.floating[Any]]
    ) -> None:
        """Add one image; all three are [H, W]."""
        self.images += 1
        self.confusion += confusion_matrix(labels, mask, len(self.class_names), IGNORE_ID)
        counted = labels != IGNORE_ID
        image = ConfidenceBins()
        image.update(probability[counted], (mask == labels)[counted])
        self.bins.merge(image)
        self.batched.add(image)

    def summary(self) -> dict[str, Any]:
        """Return plain values for metrics.json; what is undefined is None."""
        hits, pixels = int(np.trace(self.confusion)), int(self.confusion.sum())
        bars = self.bins.reliability()
        return {
            "images": self.images,
            "pixels": pixels,
            "miou": _plain(mean_iou(self.confusion)),
            "accuracy": hits / pixels if pixels else None,
            "iou": dict(zip(self.class_names, map(_plain, iou_per_class(self.confusion)), strict=True)),
            "ece": _plain(self.bins.ece()),
            "ece_batched16": _plain(self.batched.ece()),
            "reliability": {name: [_plain(v) for v in values] for name, values in bars._asdict().items()},
        }


class ConditionScores:
    """:class:`Scores` in total and per condition."""

    def __init__(self, class_names: Sequence[str] = CLASS_NAMES) -> None:
        self.class_names = tuple(class_names)
        self.by_condition: dict[str, Scores] = {FULL: Scores(self.class_names)}

    def update(
        self,
        condition: str,
        labels: NDArray[np.uint8],
        mask: NDArray[np.uint8],
        probability: NDArray[np.floating[Any]],
    ) -> None:
        """Add one image of a condition."""
        for key in (FULL, condition):
            self.by_condition.setdefault(key, Scores(self.class_names)).update(labels, mask, probability)

    def summary(self) -> dict[str, dict[str, Any]]:
        """Return the summaries by condition."""
        return {condition: scores.summary() for condition, scores in self.by_condition.items()}


def score(
    segment: Segmenter, samples: Iterable[Any], class_names: Sequence[str] = CLASS_NAMES
) -> ConditionScores:
    """Run a segmenter over labelled samples (:class:`distill.data.dataset.Sample`)."""
    scores = ConditionScores(class_names)
    for sample in samples:
        mask, probability = segment(sample.image)
        scores.update(sample.condition, sample.labels, mask, probability)
    return scores


def metrics_document(scores: ConditionScores, model: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    """Build the content of metrics.json.

    :param model: what was measured: ``file``, ``sha256``, ``name``, ``temperature``.
    :param data: on what: ``dataset``, ``root``, ``split``.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "package_version": __version__,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "model": model,
        "data": data,
        "classes": list(scores.class_names),
        "scores": scores.summary(),
    }


def write_json(path: Path, document: dict[str, Any]) -> None:
    """Write a JSON file, making its folder; raises UserError where that is not possible."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from error


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
