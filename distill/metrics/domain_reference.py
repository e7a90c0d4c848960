"""How far an image's statistics are from those of some images: a Mahalanobis distance, NumPy only.

With s the d statistics of an image, μ their mean over n images and Σ their covariance, shrunk towards its
diagonal D::

    Σ' = (1 − λ) Σ + λ D        distance = sqrt((s − μ)ᵀ Σ'⁻¹ (s − μ) / d)

λ follows from the data (Ledoit and Wolf's idea; Schäfer and Strimmer 2005, target D): the more the
covariances vary by chance, the less they count. With Σ'⁻¹ = Wᵀ W the distance is the root mean square of
W (s − μ), which is what a graph computes. About 1 for an image like the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

FEWEST: Final = 20
"""Fewer images say nothing of how their statistics vary."""
LEAST_SPREAD: Final = 1e-4
"""Standard deviation below which a statistic counts as constant, and is left out."""


@dataclass(frozen=True)
class DomainReference:
    """What the statistics of an image are compared with."""

    mean: NDArray[np.float64]
    """μ, [d]."""
    whitening: NDArray[np.float64]
    """W divided by the root of the number of statistics that are used, [d, d]: the distance is the length of
    W (s − μ). Columns of statistics that were constant are 0."""

    def distance(self, statistics: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the distances, 0…∞, [n].

        :param statistics: of n images, [n, d].
        """
        return np.sqrt(np.square((statistics - self.mean) @ self.whitening.T).sum(axis=1))


def fit_reference(statistics: NDArray[np.floating], fewest: int = FEWEST) -> DomainReference:
    """Fit mean and covariance.

    :param statistics: of n images, [n, d].
    :param fewest: least number of images.
    :raises ValueError: if there are too few images, a number is not finite, or all of them are alike.
    """
    samples = np.asarray(statistics, np.float64)
    count, size = samples.shape
    if count < fewest:
        raise ValueError(too_few(count))
    if not np.isfinite(samples).all():
        raise ValueError("the network's feature maps hold numbers that are not finite")
    mean, deviation = samples.mean(axis=0), samples.std(axis=0, ddof=1)
    varies = deviation > LEAST_SPREAD
    if not varies.any():
        raise ValueError("the network's feature maps are the same for all images")

    # Correlations, shrunk towards none; the diagonal stays as it is.
    scores = (samples[:, varies] - mean[varies]) / deviation[varies]
    correlation = _shrunk(scores)

    # W = C^(-1/2) diag(1/σ), by the eigenvectors of the shrunk correlations C.
    values, vectors = np.linalg.eigh(correlation)
    root = vectors / np.sqrt(values) @ vectors.T
    whitening = np.zeros((size, size))
    whitening[np.ix_(varies, varies)] = root / deviation[varies] / np.sqrt(varies.sum())
    return DomainReference(mean, whitening)


def too_few(images: int) -> str:
    """Say that so many images are too few, and how many are needed."""
    return f"{images} images are too few to tell unknown ones by: at least {FEWEST} are needed"


def _shrunk(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the correlations of standardised samples [n, d], shrunk as far as chance explains them.

    λ = Σ var(r_ij) / Σ r_ij² over i ≠ j, where r are the correlations.
    """
    count, size = scores.shape
    products = scores.T @ scores
    correlation = products / (count - 1)
    squares = np.square(scores)
    variance = (squares.T @ squares - np.square(products) / count) * count / (count - 1) ** 3
    off = ~np.eye(size, dtype=bool)
    chance, total = variance[off].sum(), np.square(correlation)[off].sum()
    shrinkage = min(1.0, max(0.01, chance / total)) if total > 0 else 1.0
    return (1 - shrinkage) * correlation * off + np.eye(size)
