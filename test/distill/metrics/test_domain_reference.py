"""The distance of statistics from those of some images, compared with SciPy-free textbook formulas."""

from __future__ import annotations

import numpy as np
import pytest

from distill.metrics.domain_reference import FEWEST, fit_reference


def correlated(count: int, size: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(1).normal(size=(size, size))
    return 5 + rng.normal(size=(count, size)) @ mixing


def test_with_many_images_it_is_the_mahalanobis_distance() -> None:
    samples, others = correlated(20_000, 4), correlated(5, 4, seed=3)
    inverse = np.linalg.inv(np.cov(samples.T))
    apart = others - samples.mean(axis=0)
    expected = np.sqrt(np.einsum("ni,ij,nj->n", apart, inverse, apart) / 4)
    found = fit_reference(samples).distance(others)
    np.testing.assert_allclose(found, expected, rtol=0.1)
    # The shrinkage of 1 % at least is all that is between the two.
    assert np.corrcoef(found, expected)[0, 1] > 0.99


def test_images_like_the_others_are_at_about_1_whatever_the_units() -> None:
    samples = correlated(400, 30)
    reference = fit_reference(samples)
    found = reference.distance(correlated(400, 30, seed=5))
    assert 0.8 < np.median(found) < 1.4
    units = np.geomspace(1e-3, 1e3, 30)
    again = fit_reference(samples * units).distance(correlated(400, 30, seed=5) * units)
    np.testing.assert_allclose(again, found, rtol=1e-6)


def test_more_statistics_than_images_can_be_fitted() -> None:
    samples = correlated(FEWEST, 60)
    found = fit_reference(samples).distance(correlated(50, 60, seed=7))
    assert np.isfinite(found).all()
    assert found.max() < 10


def test_a_constant_statistic_says_nothing() -> None:
    samples = np.column_stack([correlated(50, 3), np.full(50, 2.5)])
    changed = samples[:1] + np.array([0, 0, 0, 100])
    reference = fit_reference(samples)
    np.testing.assert_allclose(reference.distance(changed), reference.distance(samples[:1]))


@pytest.mark.parametrize(
    ("samples", "what"),
    [
        (np.zeros((5, 3)), f"5 images are too few.*at least {FEWEST}"),
        (np.full((FEWEST, 3), 7.0), "the same for all images"),
        (np.full((FEWEST, 3), np.nan), "not finite"),
    ],
)
def test_what_cannot_be_fitted(samples: np.ndarray, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        fit_reference(samples)
