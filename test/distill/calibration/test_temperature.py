from __future__ import annotations

import numpy as np
import pytest
import torch
from drawn_labels import calibrated_pixels
from scipy.special import logsumexp

from distill.calibration.temperature import find_temperature


@pytest.mark.parametrize("true_temperature", [0.4, 1.0, 2.5])
def test_recovers_the_temperature_that_made_the_labels(true_temperature: float) -> None:
    logits, labels = calibrated_pixels(100_000, 19)
    assert find_temperature(logits * true_temperature, labels) == pytest.approx(true_temperature, rel=0.02)


def test_it_is_the_minimum_of_the_nll() -> None:
    """Against NumPy's NLL on a grid, and on a finer one around its best place."""
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(500, 5)) * 3, rng.integers(0, 5, 500)
    labels[:300] = logits[:300].argmax(1)

    def nll(temperature: float) -> float:
        scaled = logits / temperature
        return float(np.mean(logsumexp(scaled, axis=1) - scaled[np.arange(500), labels]))

    grid = np.exp(np.linspace(np.log(0.05), np.log(20), 200))
    nearest = int(np.argmin([nll(t) for t in grid]))
    finer = np.linspace(grid[nearest - 1], grid[nearest + 1], 101)
    best = finer[np.argmin([nll(t) for t in finer])]
    found = find_temperature(torch.from_numpy(logits), torch.from_numpy(labels))
    assert found == pytest.approx(best, rel=2e-3)


def test_nothing_to_calibrate_on_is_an_error() -> None:
    with pytest.raises(ValueError, match="no labelled pixel"):
        find_temperature(torch.zeros(0, 19), torch.zeros(0, dtype=torch.int64))
    with pytest.raises(ValueError, match="NaN"):
        find_temperature(torch.full((2, 19), torch.nan), torch.zeros(2, dtype=torch.int64))
