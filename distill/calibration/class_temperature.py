"""A temperature for each predicted class: the mask stays, and each class is calibrated separately.

A pixel's logits z are divided by T_k with k = argmax z, see :mod:`distill.models.logit_calibration`. Each
pixel has one k, so the NLL falls into a sum over the predicted classes, in which each T_k occurs once::

    NLL = −1/N Σ_k Σ_{i: argmax z_i = k} log softmax(z_i / T_k)_{y_i}

and each is found separately, in the same way as the common T.
"""

from __future__ import annotations

from torch import Tensor

from distill.calibration.rare import is_rare
from distill.calibration.temperature import find_temperature
from distill.common.calibration_methods import CLASS_TEMPERATURE
from distill.models.logit_calibration import LogitCalibration


def find_class_temperatures(logits: Tensor, labels: Tensor, temperature: float) -> LogitCalibration:
    """Return the T_k that minimise the NLL.

    :param logits: [N, C], any float type, finite.
    :param labels: int64 [N], 0…C−1; no ignored ones.
    :param temperature: the common T, for classes that are predicted too rarely
        (:func:`~distill.calibration.rare.is_rare`).
    """
    predicted = logits.argmax(1)
    temperatures = [temperature] * logits.shape[1]
    for train_id, rare in enumerate(is_rare(predicted, logits.shape[1])):
        if not rare:
            here = predicted == train_id
            temperatures[train_id] = find_temperature(logits[here], labels[here])
    return LogitCalibration(CLASS_TEMPERATURE, temperatures=tuple(temperatures))
