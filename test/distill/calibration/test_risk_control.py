"""The promise of a threshold, checked by simulation and against the definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from distill.calibration.risk_control import control_risk, fewest_units, never_growing

THRESHOLDS = 17


def draw_losses(rng: np.random.Generator, draws: int, units: int) -> np.ndarray:
    """Losses [draws, units, T] that fall with the threshold, of units that are more or less difficult."""
    difficulty = rng.beta(0.5, 3, (draws, units, 1))
    return difficulty * np.linspace(1, 0, THRESHOLDS) ** rng.uniform(0.5, 4, (draws, units, 1))


def uneven_losses(rng: np.random.Generator, draws: int, units: int) -> np.ndarray:
    """Losses [draws, units, T] that may grow with the threshold."""
    return draw_losses(rng, draws, units) * rng.uniform(0, 1, (draws, units, THRESHOLDS))


@pytest.mark.parametrize("losses_of", [draw_losses, uneven_losses])
@pytest.mark.parametrize(("risk", "units"), [(0.02, 60), (0.1, 12), (0.1, 100), (0.3, 4)])
def test_the_mean_risk_of_10_000_draws_is_at_most_what_was_asked(
    losses_of: object, risk: float, units: int
) -> None:
    draws = 10_000
    losses = losses_of(np.random.default_rng(1), draws, units + 1)  # type: ignore[operator]
    found = np.zeros(draws)
    for draw in range(draws):
        level = control_risk(losses[draw, :units], risk)
        assert level is not None
        found[draw] = losses[draw, units, level]
    standard_error = found.std() / np.sqrt(draws)
    assert found.mean() <= risk + 3 * standard_error


def test_without_the_correction_the_risk_is_exceeded() -> None:
    # Why the 1 / (n + 1) is there: the plain empirical mean promises too much with few units.
    rng = np.random.default_rng(2)
    losses = draw_losses(rng, 10_000, 5)
    naive = [losses[draw, 4, np.argmax(losses[draw, :4].mean(0) <= 0.05)] for draw in range(10_000)]
    assert np.mean(naive) > 0.05 + 3 * np.std(naive) / 100


def test_it_is_the_lowest_threshold_of_the_definition() -> None:
    losses = np.array([[0.5, 0.2, 0.0, 0.0], [0.4, 0.1, 0.1, 0.0], [0.0, 0.0, 0.0, 0.0]])
    # bounds: 1.9 / 4, 1.3 / 4, 1.1 / 4, 1 / 4
    assert control_risk(losses, 0.475) == 0
    assert control_risk(losses, 0.47) == 1
    assert control_risk(losses, 0.3) == 2
    assert control_risk(losses, 0.25) == 3
    assert control_risk(losses, 0.249) is None


@given(arrays(float, (3, 6), elements=st.floats(0, 1)))
def test_losses_that_grow_again_are_not_overlooked(losses: np.ndarray) -> None:
    found = never_growing(losses)
    for unit in range(3):
        for level in range(6):
            assert found[unit, level] == losses[unit, level:].max()


@pytest.mark.parametrize(("risk", "fewest"), [(0.01, 99), (0.02, 49), (0.05, 19), (0.5, 1), (0.3, 3)])
def test_the_fewest_units(risk: float, fewest: int) -> None:
    assert fewest_units(risk) == fewest
    assert control_risk(np.zeros((fewest, 2)), risk) == 0
    assert fewest == 1 or control_risk(np.zeros((fewest - 1, 2)), risk) is None
