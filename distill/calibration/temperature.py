"""Temperature scaling: one number that changes the confidence of all pixels, and no pixel's class.

Guo et al., *On Calibration of Modern Neural Networks*, ICML 2017. T minimises the negative
log-likelihood of the labels y under the logits z::

    NLL(T) = − mean log softmax(z / T)_y

which is convex in 1/T, so a bounded search over log T finds the minimum.
"""

from __future__ import annotations

import math

import torch
from scipy.optimize import minimize_scalar
from torch import Tensor
from torch.nn import functional as F

from distill.models.logit_calibration import TEMPERATURE, LogitCalibration

LOWEST, HIGHEST = 0.05, 20.0
"""Range in which T is searched."""


def find_temperature(logits: Tensor, labels: Tensor) -> float:
    """Return the T that minimises the NLL.

    :param logits: [N, C], any float type.
    :param labels: int64 [N], 0…C−1; no ignored ones.
    :raises ValueError: if there is no pixel or a logit is not finite.
    """
    if not len(labels):
        raise ValueError("no labelled pixel to calibrate on")
    if not torch.isfinite(logits).all():
        raise ValueError("the logits hold NaN or infinity")
    bounds = (math.log(LOWEST), math.log(HIGHEST))
    found = minimize_scalar(_nll, bounds=bounds, args=(logits.double(), labels), method="bounded")
    return math.exp(float(found.x))


def common_temperature(_logits: Tensor, _labels: Tensor, temperature: float) -> LogitCalibration:
    """Return the calibration by a T that :func:`find_temperature` has found already.

    Logits and labels are not needed for it; all functions of the catalogue take the same arguments.
    """
    return LogitCalibration(TEMPERATURE, temperature=temperature)


def _nll(log_t: float, logits: Tensor, labels: Tensor) -> float:
    return float(F.cross_entropy(logits / math.exp(log_t), labels))
