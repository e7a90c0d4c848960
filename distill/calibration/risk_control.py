"""Conformal risk control: the lowest threshold whose expected loss is at most what was asked for.

For n exchangeable units (images, or drives) with losses L_i(t) in 0…1 that do not grow with the threshold t,

    t* = min { t : (Σ_i L_i(t) + 1) / (n + 1) ≤ risk }

guarantees E[L_{n+1}(t*)] ≤ risk for the next unit of the same kind, for whatever distribution and n
(A. N. Angelopoulos, S. Bates, A. Fisch, L. Lei, T. Schuster, "Conformal Risk Control", ICLR 2024, Theorem 1,
with B = 1). The expectation is over calibration and test units: it is a promise on average, not for each
image, and it holds for images like those it was calibrated on.

The share of false pixels among those kept may grow with the threshold, when the right ones are dropped first.
It is replaced by its largest value at this or any higher threshold, which never grows and is never less than
the loss itself, so that the promise holds for the loss, too (ibid., section 2.2).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def fewest_units(risk: float) -> int:
    """Return the fewest units for which any threshold can promise a risk, 0 < risk < 1.

    Even without any loss the bound is 1 / (n + 1).
    """
    return max(1, math.ceil(1 / risk - 1 - 1e-9))


def never_growing(losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Replace each loss by the largest at its threshold or a higher one.

    :param losses: by unit and threshold, float64 [n, T].
    """
    return np.maximum.accumulate(losses[:, ::-1], axis=1)[:, ::-1]


def control_risk(losses: NDArray[np.float64], risk: float) -> int | None:
    """Return the lowest threshold that promises a risk.

    :param losses: by unit and threshold, float64 [n, T], 0…1.
    :param risk: highest expected loss, 0…1.
    :return: index of the threshold, 0…T−1; None if no threshold can promise it, as with too few units.
    """
    bound = (never_growing(losses).sum(0) + 1) / (len(losses) + 1)
    # Sums of shares carry rounding errors of some 1e-16 a unit; a bound that equals the risk is kept.
    promised = np.flatnonzero(bound <= risk + 1e-12)
    return int(promised[0]) if len(promised) else None


def lowest_bound(losses: NDArray[np.float64]) -> float:
    """Return the lowest risk that any threshold can promise, for losses [n, T] as above."""
    return float((losses[:, -1].sum() + 1) / (len(losses) + 1))
