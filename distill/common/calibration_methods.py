"""The names of the methods that calibrate logits, and of their parameters. No PyTorch in here."""

from __future__ import annotations

from typing import Final, Literal

Method = Literal["temperature", "class_temperature", "vector"]
PARAMETERS: Final[dict[Method, tuple[str, ...]]] = {
    "temperature": ("temperature",),
    "class_temperature": ("temperatures",),
    "vector": ("weights", "biases"),
}
"""Method → the fields of :class:`distill.models.logit_calibration.LogitCalibration` that it sets."""
