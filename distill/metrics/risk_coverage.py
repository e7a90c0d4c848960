"""Risk and coverage: how many pixels a threshold of the confidence keeps, and how wrong those are.

Of n pixels, those whose published confidence is at least t are kept: the *coverage* is their share of all,
the *selective risk* the share of wrong ones among them. The area under the curve is the mean selective risk
over all coverages (Y. Geifman, G. Uziel, R. El-Yaniv, "Bias-reduced uncertainty estimation for deep neural
classifiers", ICLR 2019), with E_k the wrong ones among the k pixels of highest confidence::

    AURC = 1/n Σ_{k=1…n} E_k / k            E-AURC = AURC − AURC*

AURC* is that of a confidence which puts every wrong pixel below every right one, so that E-AURC tells how
well the confidence sorts and does not depend on the accuracy.

Pixels are counted by the byte that the vehicle publishes, round(255 · p), so the memory is bounded. Pixels of
one level are in no order among themselves: the mean over all their orders is taken, for which the sums have a
closed form with harmonic numbers. So the value is exact for the published confidence; from that of the
unrounded one it differs by no more than the order of pixels whose confidence differs by less than 1/255.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

LEVELS: Final = 256
"""Values of the published confidence, 0…255."""
CURVE: Final = tuple(range(0, LEVELS, 5))
"""Levels at which curves are stored: 0, 5, … 255."""
_SUMMED: Final = 32
"""Harmonic numbers up to this one are added up."""


class RiskCoverage(NamedTuple):
    """A risk-coverage curve and the area under it; NaN where no pixel is kept."""

    aurc: float
    """Mean selective risk over all coverages, 0…1."""
    excess: float
    """E-AURC: what a perfect order would save of it, 0…1."""
    coverage: NDArray[np.float64]
    """Share of the pixels with at least each level, float64 [256], 1…0."""
    risk: NDArray[np.float64]
    """Share of wrong pixels among them, float64 [256], 0…1."""


def risk_coverage(count: NDArray[np.int64], correct: NDArray[np.int64]) -> RiskCoverage:
    """Return the curve of pixels counted by their published confidence.

    :param count: pixels by level, int64 [256].
    :param correct: how many of them are right, int64 [256].
    """
    pixels, errors = int(count.sum()), int((count - correct).sum())
    kept = np.cumsum(count[::-1])[::-1].astype(np.float64)
    wrong = np.cumsum((count - correct)[::-1])[::-1].astype(np.float64)
    risk = np.divide(wrong, kept, out=np.full(LEVELS, np.nan), where=kept > 0)
    if pixels == 0:
        nan = float("nan")
        return RiskCoverage(nan, nan, np.full(LEVELS, nan), risk)

    # A level holds m pixels of which a share a is wrong, and N pixels above it hold E wrong ones. On average
    # over their orders: Σ_{k=1…m} (E + a·k) / (N + k) = a·m + (E − a·N) · (H_{N+m} − H_N).
    used = count > 0
    m, above = count[used], kept[used] - count[used]
    share = (count - correct)[used] / m
    errors_above = wrong[used] - (count - correct)[used]
    area = float((share * m + (errors_above - share * above) * _harmonic(above, m)).sum())

    # The best order: all right pixels first, then the wrong ones, Σ_{k=1…e} k / (n − e + k).
    right = np.array([pixels - errors], np.float64)
    best = errors - float((right * _harmonic(right, np.array([errors])))[0]) if errors else 0.0
    aurc = area / pixels
    return RiskCoverage(aurc, max(aurc - best / pixels, 0.0), kept / pixels, risk)


def _harmonic(start: NDArray[np.float64], more: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return H_{start + more} − H_start, the sum of 1/k for k from start + 1 to start + more."""
    return _harmonic_number(start + more) - _harmonic_number(start)


def _harmonic_number(n: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return H_n = Σ_{k=1…n} 1/k of whole numbers from 0 up, to the last digits of a float64.

    Up to 32 by the sum; above by its expansion ln n + γ + 1/2n − 1/12n² + 1/120n⁴ − 1/252n⁶, whose next term
    is 1/240n⁸. (SciPy, which has it as digamma, is not among what a vehicle installs.)
    """
    few = np.concatenate([[0.0], np.cumsum(1 / np.arange(1.0, _SUMMED + 1))])
    large = np.maximum(n, _SUMMED)
    square = 1 / large**2
    tail = square * (1 / 12 - square * (1 / 120 - square / 252))
    expanded = np.log(large) + np.euler_gamma + 0.5 / large - tail
    return np.asarray(np.where(n <= _SUMMED, few[np.minimum(n, _SUMMED).astype(int)], expanded))
