"""Brier score and negative log-likelihood (NLL): the proper scores of a whole distribution over the classes.

With p the probabilities of a pixel and y its label, each is the mean over all labelled pixels of::

    Brier = Σ_c (p_c − [c = y])²          0…2, over all classes (Brier 1950; scikit-learn's, not halved)
    NLL   = −log p_y                      0…∞, in nats

Taken from logits z, NLL = max z − z_y − log max p, which stays exact where p_y underflows. Taken from
probabilities, p_y below 2⁻²³ counts as 2⁻²³, as scikit-learn's ``log_loss`` does for float32: at most 15.94.
"""

from __future__ import annotations

from torch import Tensor

SMALLEST = 2.0**-23
"""Smaller probabilities count as this where no logits are known."""


def brier_sum(of_label: Tensor, other_squares: Tensor) -> Tensor:
    """Return the sum of the Brier score over pixels, float64 [].

    :param of_label: [n], p_y.
    :param other_squares: float64 [], the sum of p_c² over all pixels and c ≠ y.
    """
    return (1 - of_label.double()).square().sum() + other_squares


def nll_sum(of_label: Tensor, confidence: Tensor, margin: Tensor | None) -> Tensor:
    """Return the sum of the NLL over pixels, float64 [].

    :param of_label: [n], p_y.
    :param confidence: [n], max p.
    :param margin: [n], max z − z_y; None without logits.
    """
    if margin is None:
        return -of_label.double().clamp_min(SMALLEST).log().sum()
    return (margin - confidence.double().log()).sum()


def mean_or_nan(total: float, count: int) -> float:
    """Return the mean of a sum of ``count`` values; NaN if there is none."""
    return total / count if count else float("nan")
