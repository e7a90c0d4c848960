"""How far the evaluated images are from those a model was calibrated on, by condition and by image.

The model file tells the domain distance of each image (:mod:`kd_seg_ros.inference.domain`), its card the
quantiles over images of calibration.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.evaluation.metrics_json import FULL, condition_key
from kd_seg_ros.inference.domain import LIMIT


class DomainScores:
    """Collects the domain distances of images."""

    def __init__(self, entry: Mapping[str, Any]) -> None:
        """Begin without images.

        :param entry: ``domain`` of the model's card, not empty.
        """
        self._quantiles: dict[str, float] = dict(entry["quantiles"])
        self._conditions: list[str] = []
        self._distances: list[float] = []

    def update(self, condition: str | None, distance: float) -> None:
        """Add an image.

        :param condition: its weather; it counts here and in the total.
        :param distance: 0…∞; one that is not a number, from maps that are not finite, counts as infinite.
        """
        self._conditions.append(condition_key(condition))
        self._distances.append(math.inf if math.isnan(distance) else distance)

    def distances(self) -> NDArray[np.float64]:
        """Return the distance of each image, [n], in the order in which they were added."""
        return np.array(self._distances, np.float64)

    def summary(self) -> dict[str, Any]:
        """Return the entry ``domain`` of metrics.json, see docs/metrics.md."""
        conditions, distances = np.array(self._conditions), self.distances()
        limit = self._quantiles[LIMIT]
        scores = {}
        for name in dict.fromkeys([FULL, *self._conditions]):
            chosen = distances if name == FULL else distances[conditions == name]
            middle = float(np.median(chosen)) if len(chosen) else math.nan
            scores[name] = {
                "images": len(chosen),
                "median": middle if math.isfinite(middle) else None,
                "above_limit": float(np.mean(chosen > limit)) if len(chosen) else None,
            }
        return {"limit": limit, "quantiles": self._quantiles, "scores": scores}
