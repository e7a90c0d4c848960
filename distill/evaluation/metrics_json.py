"""Scores of a segmentation as plain values, and the document that holds them (metrics.json).

Here is what class ids and their confidence are enough for, in NumPy: what came over the wire is scored with
it. With the probabilities of all classes, :mod:`distill.evaluation.evaluation` adds the rest.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.metrics import BatchedEce, ConfidenceBins, confusion_matrix, iou_per_class, mean_iou
from kd_seg_ros import __version__
from kd_seg_ros.common.classes import CLASS_NAMES, IGNORE_ID
from kd_seg_ros.common.errors import UserError

SCHEMA_VERSION = 2
"""Of metrics.json; see docs/metrics.md."""

FULL = "full"
"""All conditions pooled."""

Segmenter = Callable[[NDArray[np.uint8]], tuple[NDArray[np.uint8], NDArray[np.float32]]]
"""RGB image [H, W, 3] → class ids [H, W] and probability of that class [H, W]."""


@dataclass(frozen=True)
class Counts:
    """What the scores of mask and confidence follow from, for the images of one condition."""

    images: int
    confusion: NDArray[np.int64]
    """[C, C + 1], see :mod:`distill.metrics.confusion`."""
    bins: ConfidenceBins
    batched_ece: float
    by_prediction: Sequence[ConfidenceBins]
    """The pixels predicted as each class."""


def summarise(counts: Counts, class_names: Sequence[str]) -> dict[str, Any]:
    """Return plain values for metrics.json; what is undefined is None."""
    confusion = counts.confusion
    hits, pixels = int(np.trace(confusion)), int(confusion.sum())
    bars = counts.bins.reliability()
    return {
        "images": counts.images,
        "pixels": pixels,
        "miou": plain(mean_iou(confusion)),
        "accuracy": hits / pixels if pixels else None,
        "iou": by_class(class_names, iou_per_class(confusion)),
        "ece": plain(counts.bins.ece()),
        "ece_batched16": plain(counts.batched_ece),
        "ece_per_class": by_class(class_names, [bins.ece() for bins in counts.by_prediction]),
        "reliability": {name: [plain(v) for v in values] for name, values in bars._asdict().items()},
        "confusion": confusion.tolist(),
        "ece_classwise": None,
        "auprc": None,
        "auprc_exact": None,
        "brier": None,
        "nll": None,
    }


class Scores:
    """Running sums over the images of one condition, from mask and confidence."""

    def __init__(self, class_names: Sequence[str]) -> None:
        self.class_names = class_names
        self.images = 0
        self.confusion = np.zeros((len(class_names), len(class_names) + 1), np.int64)
        self.by_prediction = [ConfidenceBins() for _ in class_names]
        self.bins = ConfidenceBins()
        self.batched = BatchedEce()

    def update(
        self, labels: NDArray[np.uint8], mask: NDArray[np.uint8], probability: NDArray[np.floating[Any]]
    ) -> None:
        """Add one image; all three are [H, W]."""
        self.images += 1
        self.confusion += confusion_matrix(labels, mask, len(self.class_names), IGNORE_ID)
        counted = labels != IGNORE_ID
        predicted, p, correct = mask[counted], probability[counted], (mask == labels)[counted]
        image = ConfidenceBins()
        image.update(p, correct)
        self.bins.merge(image)
        self.batched.add(image)
        for train_id in np.unique(predicted[predicted != IGNORE_ID]):
            here = predicted == train_id
            self.by_prediction[train_id].update(p[here], correct[here])

    def summary(self) -> dict[str, Any]:
        """Return plain values for metrics.json."""
        counts = Counts(self.images, self.confusion, self.bins, self.batched.ece(), self.by_prediction)
        return summarise(counts, self.class_names)


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


def metrics_document(
    scores: dict[str, dict[str, Any]],
    class_names: Sequence[str],
    model: dict[str, Any],
    data: dict[str, Any],
    options: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Build the content of metrics.json.

    :param scores: by condition.
    :param model: what was measured: ``file``, ``sha256``, ``name``, ``temperature``.
    :param data: on what: ``dataset``, ``root``, ``split``.
    :param options: how, where that is not the plain way.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "package_version": __version__,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "model": model,
        "data": data,
        "options": options or {},
        "classes": list(class_names),
        "scores": scores,
    }


def read_metrics(path: Path) -> dict[str, Any]:
    """Read a metrics.json.

    :raises UserError: if it cannot be read, is none, or is of another schema version.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{path} is no JSON: {error}") from error
    if not isinstance(document, dict) or "schema_version" not in document:
        raise UserError(f"{path} is no metrics.json of `python -m distill evaluate`")
    if document["schema_version"] != SCHEMA_VERSION:
        raise UserError(
            f"{path} has schema version {document['schema_version']!r}; this software reads version "
            f"{SCHEMA_VERSION}: evaluate the model again"
        )
    if missing := [key for key in ("model", "data", "classes", "scores") if key not in document]:
        raise UserError(f"{path} lacks {', '.join(missing)}: evaluate the model again")
    return document


def beside(metrics: Path, name: str) -> Path:
    """Where a table lies beside a metrics.json: ``best.metrics.json`` has ``best.images.npz``."""
    stem = metrics.stem + "."
    if metrics.name.endswith("metrics.json"):
        stem = metrics.name.removesuffix("metrics.json")
    return metrics.with_name(stem + name)


def write_json(path: Path, document: dict[str, Any]) -> None:
    """Write a JSON file, making its folder; raises UserError where that is not possible."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from error


def by_class(class_names: Sequence[str], values: Iterable[float]) -> dict[str, float | None]:
    """Name the values of the classes."""
    return dict(zip(class_names, map(plain, values), strict=True))


def plain(value: float) -> float | None:
    """Turn NaN into None, which JSON knows."""
    return None if math.isnan(value) else float(value)
