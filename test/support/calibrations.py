"""One calibration of every method, for tests that go through all of them."""

from __future__ import annotations

import numpy as np

from distill.common.calibration_methods import (
    ADAPTIVE_TEMPERATURE,
    CLASS_TEMPERATURE,
    TEMPERATURE,
    VECTOR,
    Method,
)
from distill.models.logit_calibration import LogitCalibration

_CLASSES = 19

CALIBRATIONS: dict[Method, LogitCalibration] = {
    TEMPERATURE: LogitCalibration(TEMPERATURE, temperature=0.6),
    CLASS_TEMPERATURE: LogitCalibration(CLASS_TEMPERATURE, temperatures=tuple(np.linspace(0.3, 3, _CLASSES))),
    ADAPTIVE_TEMPERATURE: LogitCalibration(
        ADAPTIVE_TEMPERATURE, temperatures=tuple(np.linspace(0.3, 2, _CLASSES)), exponent=-0.6
    ),
    VECTOR: LogitCalibration(
        VECTOR, weights=tuple(np.linspace(2, 0.5, _CLASSES)), biases=tuple(np.linspace(-1, 1, _CLASSES))
    ),
}
"""Method → a calibration for 19 classes. Tests iterate over the methods themselves, so that one without an
entry here fails them."""
