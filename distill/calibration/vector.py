"""Vector scaling: a weight and a bias for the logit of each class, which changes the mask as well.

Guo et al., *On Calibration of Modern Neural Networks*, ICML 2017. w and b minimise the negative
log-likelihood of the labels y::

    NLL(w, b) = − mean log softmax(w ⊙ z + b)_y
    ∂NLL/∂b = mean (p − onehot(y))          ∂NLL/∂w = mean z ⊙ (p − onehot(y))

with p the softmax: convex, so L-BFGS from temperature scaling (w = 1/T, b = 0) finds the minimum, never
above where it starts. Adding a constant to all of b changes no probability, and the gradient is 0 in that
direction: of the many minima, L-BFGS finds the one where the sum of b still is 0.

A class without labels has no minimum: its b would run to −∞, and the class would never be predicted again.
Classes with few labels come close. They keep w = 1/T and b = 0 (:func:`~distill.calibration.rare.is_rare`).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor

from distill.calibration.rare import is_rare
from distill.models.logit_calibration import VECTOR, LogitCalibration

PIXELS_AT_ONCE = 1 << 16
"""So many pixels are processed in one step, which bounds the memory."""


def find_vector_scaling(logits: Tensor, labels: Tensor, temperature: float) -> LogitCalibration:
    """Return the w and b that minimise the NLL.

    :param logits: [N, C], any float type, finite.
    :param labels: int64 [N], 0…C−1; no ignored ones.
    :param temperature: the common T, to start from.
    """
    classes = logits.shape[1]
    start = np.stack([np.full(classes, 1 / temperature), np.zeros(classes)])
    free = np.flatnonzero(~np.array(is_rare(labels, classes)))
    weights, biases = start
    if len(free):
        found = minimize(
            _objective,
            start[:, free].ravel(),
            args=(logits, labels, start, free),
            jac=True,
            method="L-BFGS-B",
            options={"ftol": 1e-9},
        )
        weights, biases = _placed(found.x, start, free)
    return LogitCalibration(VECTOR, weights=tuple(weights.tolist()), biases=tuple(biases.tolist()))


def _objective(
    values: NDArray[np.float64],
    logits: Tensor,
    labels: Tensor,
    start: NDArray[np.float64],
    free: NDArray[np.intp],
) -> tuple[float, NDArray[np.float64]]:
    """Return the NLL and its gradient [2·F] at the parameters [2·F] of the F free classes."""
    value, gradient = nll(logits, labels, _placed(values, start, free))
    return value, gradient[:, free].ravel()


def _placed(
    values: NDArray[np.float64], start: NDArray[np.float64], free: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Put the parameters [2·F] of the free classes into those of all classes [2, C]."""
    both = start.copy()
    both[:, free] = values.reshape(2, -1)
    return both


def nll(logits: Tensor, labels: Tensor, parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """Return the NLL and its gradient [2, C] at w and b [2, C]."""
    weights, biases = torch.from_numpy(parameters)
    total, gradient = 0.0, torch.zeros(2, len(weights), dtype=torch.float64)
    # log p by softmax in float64; then p − onehot(y) in place, and the two gradients summed over the pixels.
    for z, y in zip(logits.split(PIXELS_AT_ONCE), labels.split(PIXELS_AT_ONCE), strict=True):
        z, y = z.double(), y[:, None]
        log_p = (weights * z + biases).log_softmax(1)
        total -= float(log_p.gather(1, y).sum())
        residual = log_p.exp_().scatter_add_(1, y, torch.full_like(log_p, -1))
        gradient += torch.stack([(residual * z).sum(0), residual.sum(0)])
    return total / len(labels), (gradient / len(labels)).numpy()
