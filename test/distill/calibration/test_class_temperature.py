from __future__ import annotations

import pytest
import torch
from drawn_labels import calibrated_pixels
from torch.nn.functional import cross_entropy

from distill.calibration.class_temperature import find_class_temperatures
from distill.calibration.rare import FEWEST
from distill.calibration.temperature import find_temperature

FACTORS = torch.tensor([0.5, 0.8, 1.0, 1.6, 3.0], dtype=torch.float64)


def test_recovers_the_factor_by_which_each_predicted_class_was_sharpened() -> None:
    ideal, labels = calibrated_pixels(100_000, 5)
    logits = ideal * FACTORS[ideal.argmax(1)][:, None]
    found = find_class_temperatures(logits, labels, 1.0)
    assert found.temperatures == pytest.approx(FACTORS.tolist(), rel=0.05)
    calibrated = found.apply(logits.T).T
    assert (calibrated.argmax(1) == logits.argmax(1)).all()
    assert cross_entropy(calibrated, labels) <= cross_entropy(ideal, labels)


def test_no_change_of_a_single_temperature_lowers_the_nll() -> None:
    """The searches are independent; their result must be the minimum of all pixels' NLL."""
    ideal, labels = calibrated_pixels(20_000, 4, seed=1)
    logits = ideal * 1.7
    found = torch.tensor(find_class_temperatures(logits, labels, 1.0).temperatures, dtype=torch.float64)
    predicted = logits.argmax(1)

    def nll(temperatures: torch.Tensor) -> float:
        return float(cross_entropy(logits / temperatures[predicted][:, None], labels))

    best = nll(found)
    for train_id in range(4):
        for factor in (0.98, 1.02):
            other = found.clone()
            other[train_id] *= factor
            assert nll(other) > best


def test_rarely_predicted_classes_keep_the_common_temperature() -> None:
    logits, labels = calibrated_pixels(5000, 3)
    few = (logits.argmax(1) != 2) | (torch.cumsum(logits.argmax(1) == 2, 0) < FEWEST)
    logits, labels = 2 * logits[few], labels[few]
    common = find_temperature(logits, labels)
    found = find_class_temperatures(logits, labels, common)
    assert found.temperatures[2] == common
    assert common not in found.temperatures[:2]
