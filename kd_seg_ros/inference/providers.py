"""What a network can run on. No ONNX Runtime in here, so that a command can refuse a wrong name at once."""

from __future__ import annotations

from typing import Final

PROVIDERS: Final[dict[str, tuple[str, ...]]] = {
    "cuda": ("CUDAExecutionProvider",),
    "tensorrt": ("TensorrtExecutionProvider", "CUDAExecutionProvider"),
    "cpu": ("CPUExecutionProvider",),
}
"""Names a user gives, and ONNX Runtime's in order of preference; the first one must really start."""
