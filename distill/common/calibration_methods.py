"""The names of the methods that calibrate logits, and of their parameters. No PyTorch in here."""

from __future__ import annotations

from typing import Final, TypeAlias

Method: TypeAlias = str
"""Name of a calibration method, a key of :data:`PARAMETERS`."""
TEMPERATURE: Final = "temperature"
"""Method: one temperature for all pixels."""
CLASS_TEMPERATURE: Final = "class_temperature"
"""Method: a temperature for each predicted class."""
ADAPTIVE_TEMPERATURE: Final = "adaptive_temperature"
"""Method: a temperature for each predicted class, which changes with the pixel's own confidence."""
VECTOR: Final = "vector"
"""Method: a weight and a bias for the logit of each class."""
PARAMETERS: Final[dict[Method, tuple[str, ...]]] = {
    TEMPERATURE: ("temperature",),
    CLASS_TEMPERATURE: ("temperatures",),
    ADAPTIVE_TEMPERATURE: ("temperatures", "exponent"),
    VECTOR: ("weights", "biases"),
}
"""Method → the fields of :class:`distill.models.logit_calibration.LogitCalibration` that it sets."""
