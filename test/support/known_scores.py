"""Scores of the tiny model's known answers, computed with scikit-learn and NumPy."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import jaccard_score
from tiny_model import expected

BINS = 15


class KnownScores(NamedTuple):
    miou: float
    iou: dict[int, float]
    """By trainId; classes that occur neither in the labels nor in the masks are left out."""
    ece: float


def known_scores(frames: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]) -> KnownScores:
    """Score the model's answers to frames, each an image and its labels with 255 where none counts."""
    labels = np.stack([truth for _, truth in frames])
    answers = [expected(image) for image, _ in frames]
    seen = labels != 255
    labels = labels[seen]
    masks = np.stack([mask for mask, _ in answers])[seen]
    confidences = np.stack([confidence for _, confidence in answers])[seen]
    present = np.union1d(labels, masks)
    iou = jaccard_score(labels, masks, labels=present, average=None)
    # ECE = Σ_bins |hits − Σ confidence| / pixels.
    bins = np.minimum(confidences.astype(int) * BINS // 255, BINS - 1)
    hits = np.bincount(bins, masks == labels, BINS)
    sums = np.bincount(bins, confidences / 255, BINS)
    by_class = {int(train_id): float(value) for train_id, value in zip(present, iou, strict=True)}
    return KnownScores(float(iou.mean()), by_class, float(np.abs(hits - sums).sum() / labels.size))
