"""ONNX Runtime, imported here and nowhere else, so that its telemetry is off before it starts.

The Linux wheels of ONNX Runtime from 1.29 on report each process and each model to Microsoft, and keep a
device id under ``~/.cache/Microsoft``. They look at ``ORT_DISABLE_TELEMETRY`` once, when they are imported.
Nothing is sent or stored unless the user has set that variable to 0.
"""

from __future__ import annotations

import os
from typing import Final

TELEMETRY_VARIABLE: Final = "ORT_DISABLE_TELEMETRY"
"""The variable of the environment by which ONNX Runtime is told: 1 for no telemetry, 0 for telemetry."""

os.environ.setdefault(TELEMETRY_VARIABLE, "1")

import onnxruntime as ort  # noqa: E402 (after the variable is set)

if os.environ[TELEMETRY_VARIABLE] != "0":
    ort.disable_telemetry_events()  # for releases that have a switch but do not read the variable

__all__ = ["TELEMETRY_VARIABLE", "ort"]
