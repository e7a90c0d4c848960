"""ONNX Runtime, imported here and nowhere else, and only when it is needed, so that its telemetry is off.

The Linux wheels of ONNX Runtime from 1.29 on report each process and each model to Microsoft, and keep a
device id under ``~/.cache/Microsoft``. They look at ``ORT_DISABLE_TELEMETRY`` once, when they are imported.
Nothing is sent or stored unless the user has set that variable to 0 or asks for it by
:func:`choose_telemetry`.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any, Final

from kd_seg_ros.common.errors import UserError

__all__ = ["TELEMETRY_VARIABLE", "choose_telemetry", "ort"]

TELEMETRY_VARIABLE: Final = "ORT_DISABLE_TELEMETRY"
"""The variable of the environment by which ONNX Runtime is told: 1 for no telemetry, 0 for telemetry."""


class _ImportedWhenUsed:
    """Stands for the package until the first of its names is asked for, then passes on all of them."""

    def __init__(self) -> None:
        self.loaded = False

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__version__":  # asked by tools that look at modules
            raise AttributeError(name)
        off = os.environ.setdefault(TELEMETRY_VARIABLE, "1") != "0"
        package = importlib.import_module("onnxruntime")
        if off and not self.loaded:
            package.disable_telemetry_events()  # for releases that have a switch but do not read the variable
        self.loaded = True
        return getattr(package, name)


_package = _ImportedWhenUsed()

if TYPE_CHECKING:
    import onnxruntime as ort
else:
    ort = _package


def choose_telemetry(wanted: bool) -> None:
    """Switch ONNX Runtime's telemetry on if that is wanted; if not, the user's own variable counts.

    :raises UserError: if it is wanted, but ONNX Runtime has been imported without.
    """
    if not wanted or os.environ.get(TELEMETRY_VARIABLE) == "0":
        return
    if _package.loaded:
        raise UserError(
            "onnxruntime_telemetry: can only be chosen before the first model: start the node again"
        )
    os.environ[TELEMETRY_VARIABLE] = "0"
