"""Adaptive temperature: for each predicted class a temperature, which depends on the pixel's own confidence.

Networks are seldom as overconfident where they are sure as where they doubt, which one temperature cannot
mend. A pixel's logits z are divided by T_k · p^γ with k = argmax z and p = max softmax(z), see
:mod:`distill.models.logit_calibration`: γ < 0 divides the logits of doubtful pixels by more. With the margins
s = z − max z ≤ 0, S = Σ exp s = 1 / p, θ_k = −log T_k and the inverse temperature τ = exp(θ_k + γ log S)::

    NLL(θ, γ) = mean [ log Σ_c exp(τ s_c) − τ s_y ]
    ∂NLL/∂θ_k = mean [k] τ (Σ_c q_c s_c − s_y)      ∂NLL/∂γ = mean τ log S (Σ_c q_c s_c − s_y)

with q the softmax of τ s, and [k] 1 for pixels that are predicted as k, else 0. L-BFGS finds first one θ and
one γ for all pixels, from the common T and γ = 0, and from there the θ of each class together with γ.

After Balanya et al., *Adaptive temperature scaling for robust calibration of deep neural networks*, 2022,
whose temperature is the same power law of the entropy instead of p, without classes. One γ for each class was
tried, too: on images held out it is no better.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor

from distill.calibration.rare import is_rare
from distill.calibration.temperature import HIGHEST, LOWEST
from distill.common.calibration_methods import ADAPTIVE_TEMPERATURE
from distill.models.logit_calibration import LogitCalibration

STEEPEST: Final = 2.0
"""γ is searched from −STEEPEST to STEEPEST."""
PIXELS_AT_ONCE = 1 << 16
"""So many pixels are processed in one step, which bounds the memory."""

_OPTIONS: Final = {"ftol": 1e-9}
Parameters = NDArray[np.float64]
"""θ of each class, then γ, [C + 1]."""


def find_adaptive_temperatures(logits: Tensor, labels: Tensor, temperature: float) -> LogitCalibration:
    """Return the T_k and γ that minimise the NLL.

    :param logits: [N, C], any float type, finite.
    :param labels: int64 [N], 0…C−1; no ignored ones.
    :param temperature: the common T, to start from. Classes that are predicted too rarely
        (:func:`~distill.calibration.rare.is_rare`) get the T that, with a γ, is best for all pixels.
    """
    classes = logits.shape[1]
    all_theta, all_gamma = (-math.log(HIGHEST), -math.log(LOWEST)), (-STEEPEST, STEEPEST)

    # 1. The same for all classes.
    start = np.array([-math.log(temperature), 0.0])
    common = minimize(
        _common, start, (logits, labels), jac=True, bounds=[all_theta, all_gamma], options=_OPTIONS
    ).x

    # 2. Each class its own, except the rare ones.
    kept = (common[0], common[0])
    of_classes = [kept if rare else all_theta for rare in is_rare(logits.argmax(1), classes)]
    start = np.append(np.full(classes, common[0]), common[1])
    found = minimize(
        nll, start, (logits, labels), jac=True, bounds=[*of_classes, all_gamma], options=_OPTIONS
    ).x
    return LogitCalibration(
        ADAPTIVE_TEMPERATURE, temperatures=tuple(np.exp(-found[:-1]).tolist()), exponent=float(found[-1])
    )


def _common(values: Parameters, logits: Tensor, labels: Tensor) -> tuple[float, Parameters]:
    """Return the NLL and its gradient [2] at one θ and γ for all classes, [2]."""
    theta, gamma = values
    value, gradient = nll(np.append(np.full(logits.shape[1], theta), gamma), logits, labels)
    return value, np.array([gradient[:-1].sum(), gradient[-1]])


def nll(parameters: Parameters, logits: Tensor, labels: Tensor) -> tuple[float, Parameters]:
    """Return the NLL of pixels [N, C] with labels [N], and its gradient [C + 1]."""
    theta, gamma = torch.from_numpy(parameters[:-1]), float(parameters[-1])
    total, gradient = 0.0, torch.zeros(len(parameters), dtype=torch.float64)
    for z, y in zip(logits.split(PIXELS_AT_ONCE), labels.split(PIXELS_AT_ONCE), strict=True):
        z, y = z.double(), y[:, None]
        top, predicted = z.max(1)
        s = z - top[:, None]
        log_sum = s.logsumexp(1)
        inverse = torch.exp(theta[predicted] + gamma * log_sum)
        log_q = (inverse[:, None] * s).log_softmax(1)
        total -= float(log_q.gather(1, y).sum())
        # τ · ∂/∂τ of each pixel, which belongs to the θ of its class, and times log S to γ.
        slope = inverse * ((log_q.exp_() * s).sum(1) - s.gather(1, y)[:, 0])
        gradient[:-1].index_add_(0, predicted, slope)
        gradient[-1] += (slope * log_sum).sum()
    return total / len(labels), (gradient / len(labels)).numpy()
