"""Sums over the answered frames: scores against the labels, where there are any, and what was seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.drives.recording import AnsweredFrame
from distill.drives.recording_scores import add_to_scores
from distill.evaluation.mask_scores import MaskScores
from distill.evaluation.metrics_json import FULL
from kd_seg_ros.inference.accuracy import bin_accuracy, bin_counts, expected_accuracy


class Tally:
    """Running sums, in total (``full``) and per condition."""

    def __init__(self, class_names: Sequence[str], reliability: Mapping[str, Any] | None = None) -> None:
        """Start at zero.

        :param reliability: the card's reliability table over all conditions; None: it has none, or its
            estimates are corrected by a distance that is not recorded.
        """
        self._class_names = class_names
        self._accuracy = bin_accuracy(reliability) if reliability else None
        self._bins: dict[str, NDArray[np.int64]] = {}
        self._frames: Counter[str] = Counter()
        self._pixels: dict[str, NDArray[np.int64]] = {}
        self._probability: dict[str, float] = {}
        self.scores = MaskScores(class_names, keep_images=False)

    def add(self, answer: AnsweredFrame) -> None:
        """Add one frame.

        :raises kd_seg_ros.common.child_process.ProcessError: if the mask holds anything but class ids.
        """
        pixels = np.bincount(answer.mask.ravel(), minlength=256)
        probability = float(answer.probability.sum(dtype=np.float64))
        for key in dict.fromkeys((FULL, answer.frame.condition or FULL)):
            self._frames[key] += 1
            self._pixels[key] = self._pixels.get(key, 0) + pixels
            self._probability[key] = self._probability.get(key, 0.0) + probability
            if self._accuracy is not None:
                confidence = np.rint(255 * answer.probability).astype(np.uint8)
                counts = bin_counts(confidence, len(self._accuracy))
                self._bins[key] = self._bins.get(key, 0) + counts
        add_to_scores(self.scores, answer)

    def observed(self) -> dict[str, dict[str, Any]]:
        """Return, by condition, what needs no labels: frames, share of each class, mean confidence (0…1).

        With a reliability table also the accuracy expected from it (0…1), which is raw.
        """
        result = {}
        for key, frames in self._frames.items():
            total = int(self._pixels[key].sum())
            shares = (self._pixels[key] / total).tolist()
            result[key] = {
                "frames": frames,
                "class_shares": dict(zip(self._class_names, shares, strict=False)),
                "mean_confidence": self._probability[key] / total,
            }
            if self._accuracy is not None:
                result[key]["expected_accuracy"] = float(expected_accuracy(self._bins[key], self._accuracy))
        return result
