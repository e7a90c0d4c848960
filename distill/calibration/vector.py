"""Vector scaling: a weight and a bias for the logit of each class, which changes the mask as well.

Guo et al., *On Calibration of Modern Neural Networks*, ICML 2017. w and b minimise the negative
log-likelihood of the labels y::

    NLL(w, b) = − mean log softmax(w ⊙ z + b)_y
    ∂NLL/∂b = mean (p − onehot(y))          ∂NLL/∂w = mean z ⊙ (p − onehot(y))

with p the softmax: convex, so L-BFGS from temperature scaling (w = 1/T, b = 0) finds the minimum, never
above where it starts. It searches for u = w σ and v = b + w μ, with the mean μ and the standard deviation σ
of a class' logits: for w and b themselves, which pull at the same values, it needs two to three times the
steps. Adding a constant to all of b changes no probability: of the many minima, that one is taken where the
sum of b is 0.

A class without labels has no minimum: its b would run to −∞, and the class would never be predicted again.
Classes with few labels come close. They keep w = 1/T and b = 0 (:func:`~distill.calibration.rare.is_rare`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor

from distill.calibration.rare import is_rare
from distill.common.calibration_methods import VECTOR
from distill.models.logit_calibration import LogitCalibration

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
        search = _Search(start, free, *_mean_and_std(logits))
        found = minimize(
            search.objective,
            search.start(),
            args=(logits, labels),
            jac=True,
            method="L-BFGS-B",
            options={"ftol": 1e-9},
        )
        weights, biases = search.placed(found.x)
    if len(free) == classes:
        biases = biases - biases.mean()
    return LogitCalibration(VECTOR, weights=tuple(weights.tolist()), biases=tuple(biases.tolist()))


def _mean_and_std(logits: Tensor) -> NDArray[np.float64]:
    """Return the mean and the standard deviation of each class' logits, [2, C]; a std of 0 becomes 1."""
    values = logits.float()
    std, mean = torch.std_mean(values, dim=0, correction=0)
    return torch.stack([mean, torch.where(std > 0, std, 1.0)]).double().numpy()


@dataclass(frozen=True)
class _Search:
    """What L-BFGS searches for: u and v of the classes that are free, [2·F]."""

    kept: NDArray[np.float64]
    """w and b of all classes [2, C], which those that are not free keep."""
    free: NDArray[np.intp]
    """trainIds of the F classes that are free."""
    mean: NDArray[np.float64]
    """μ of each class' logits, [C]."""
    std: NDArray[np.float64]
    """σ of each class' logits, [C]."""

    def start(self) -> NDArray[np.float64]:
        """Return u and v of what is kept."""
        weights, biases = self.kept[:, self.free]
        return np.concatenate([weights * self.std[self.free], biases + weights * self.mean[self.free]])

    def placed(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return w and b of all classes [2, C] for u and v of those that are free."""
        u, v = values.reshape(2, -1)
        both = self.kept.copy()
        both[0, self.free] = u / self.std[self.free]
        both[1, self.free] = v - both[0, self.free] * self.mean[self.free]
        return both

    def objective(
        self, values: NDArray[np.float64], logits: Tensor, labels: Tensor
    ) -> tuple[float, NDArray[np.float64]]:
        """Return the NLL and its gradient [2·F] at u and v."""
        value, gradient = nll(logits, labels, self.placed(values))
        of_weights, of_biases = gradient[:, self.free]
        of_u = (of_weights - self.mean[self.free] * of_biases) / self.std[self.free]
        return value, np.concatenate([of_u, of_biases])


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
