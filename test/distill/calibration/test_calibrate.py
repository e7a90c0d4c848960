"""What is computed from the scores of both halves; the whole is tested with the command."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from distill.calibration.calibrate import pooled_miou, seen_ranges
from distill.evaluation.evaluation import Evaluation


def test_the_range_of_the_expected_accuracy_is_that_of_the_images() -> None:
    rng = np.random.default_rng(0)
    evaluation = Evaluation(("road", "car"))
    shares: dict[str, list[float]] = {"fog": [], "night": []}
    for i in range(40):
        # Two confidences only: 0.6, of which all are right, and 0.9, of which none is.
        low = rng.random((10, 10)) < (0.8 if i % 2 else 0.2)
        p = np.where(low, 0.6, 0.9)
        condition = "night" if i % 2 else "fog"
        labels = np.where(low, 0, 1).astype(np.uint8)
        evaluation.update(condition, str(i), labels, torch.from_numpy(np.log(np.stack([p, 1 - p]))).float())
        shares[condition].append(float(low.mean()))
    found = seen_ranges(evaluation.images(), evaluation.summary())
    for condition, values in shares.items():
        assert found[condition] == pytest.approx(np.quantile(values, [0.01, 0.99]))
    assert found["full"] == pytest.approx(np.quantile([*shares["fog"], *shares["night"]], [0.01, 0.99]))


def test_miou_is_that_of_both_halves_together() -> None:
    first = {"full": np.array([[3, 1, 0], [0, 2, 0]]), "fog": np.array([[3, 1, 0], [0, 2, 0]])}
    second: dict[str, dict[str, Any]] = {
        "full": {"confusion": [[1, 0, 0], [1, 4, 0]]},
        "night": {"confusion": [[1, 0, 0], [1, 4, 0]]},
    }
    # full: rows (4, 1), (1, 6): IoU 4/6 and 6/8.
    expected = {"full": (4 / 6 + 6 / 8) / 2, "fog": (3 / 4 + 2 / 3) / 2, "night": (1 / 2 + 4 / 5) / 2}
    assert pooled_miou(first, second) == pytest.approx(expected)
