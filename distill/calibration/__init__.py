"""Calibration of a trained network on labelled images: three methods, one a file, and what is kept.

All minimise the negative log-likelihood of the labels over pixels drawn from the images. What they do to
the logits is :class:`distill.models.logit_calibration.LogitCalibration`.
"""

from distill.calibration.class_temperature import find_class_temperatures
from distill.calibration.stored import (
    calibration_of,
    calibration_path,
    read_calibration,
    stored_calibration,
)
from distill.calibration.temperature import find_temperature
from distill.calibration.vector import find_vector_scaling
from distill.models.logit_calibration import LogitCalibration

__all__ = [
    "LogitCalibration",
    "calibration_of",
    "calibration_path",
    "find_class_temperatures",
    "find_temperature",
    "find_vector_scaling",
    "read_calibration",
    "stored_calibration",
]
