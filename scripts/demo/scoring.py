"""Sums over the answered frames: scores against the labels, where there are any, and what was seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from recording import Answer

from distill.evaluation.mask_scores import MaskScores
from distill.evaluation.metrics_json import FULL
from kd_seg_ros.common.classes import CLASS_NAMES
from kd_seg_ros.common.errors import UserError


class Tally:
    """Running sums, in total (``full``) and per condition."""

    def __init__(self, class_names: Sequence[str]) -> None:
        self._class_names = class_names
        self._frames: Counter[str] = Counter()
        self._pixels: dict[str, NDArray[np.int64]] = {}
        self._confidence: Counter[str] = Counter()
        self.scores = MaskScores(CLASS_NAMES, keep_images=False)

    def add(self, answer: Answer) -> None:
        """Add one frame.

        :raises UserError: if its labels hold anything but class ids and the ignore id.
        """
        condition = answer.info.condition or FULL
        pixels = np.bincount(answer.mask.ravel(), minlength=256)
        for key in dict.fromkeys((FULL, condition)):
            self._frames[key] += 1
            self._pixels[key] = self._pixels.get(key, 0) + pixels
            self._confidence[key] += int(answer.confidence.sum(dtype=np.int64))
        if answer.labels is not None:
            self._score(condition, answer, answer.labels)

    def observed(self) -> dict[str, dict[str, Any]]:
        """Return, by condition, what needs no labels: frames, share of each class, mean confidence (0…1)."""
        result = {}
        for key, frames in self._frames.items():
            total = int(self._pixels[key].sum())
            shares = (self._pixels[key] / total).tolist()
            result[key] = {
                "frames": frames,
                "class_shares": dict(zip(self._class_names, shares, strict=False)),
                "mean_confidence": self._confidence[key] / total / 255,
            }
        return result

    def _score(self, condition: str, answer: Answer, labels: NDArray[np.uint8]) -> None:
        probability = answer.confidence / np.float32(255)
        try:
            own = None if condition == FULL else condition
            self.scores.update_mask(own, str(answer.info.number), labels, answer.mask, probability)
        except ValueError as error:
            raise UserError(f"frame {answer.info.number}: {error}") from error
