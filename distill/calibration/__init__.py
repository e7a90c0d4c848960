"""Calibration of a trained network on labelled images: three methods, one per file.

All minimise the negative log-likelihood of the labels over pixels drawn from the images. What they do to
the logits is :class:`distill.models.logit_calibration.LogitCalibration`.
"""

from distill.calibration.class_temperature import find_class_temperatures
from distill.calibration.temperature import find_temperature
from distill.calibration.vector import find_vector_scaling
from distill.models.logit_calibration import LogitCalibration

__all__ = [
    "LogitCalibration",
    "find_class_temperatures",
    "find_temperature",
    "find_vector_scaling",
]
