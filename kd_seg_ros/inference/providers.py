"""What a network can run on. No ONNX Runtime in here, so that a command can refuse a wrong name at once."""

from __future__ import annotations

from typing import Final

OPENVINO: Final = "OpenVINOExecutionProvider"
"""ONNX Runtime's name of OpenVINO, Intel's runtime."""
AUTO: Final = "auto"
"""The name of the choice that takes the CPU, with a warning, where no GPU starts; all others are strict."""

PROVIDERS: Final[dict[str, tuple[str, ...]]] = {
    AUTO: ("CUDAExecutionProvider", "CPUExecutionProvider"),
    "cuda": ("CUDAExecutionProvider",),
    "tensorrt": ("TensorrtExecutionProvider", "CUDAExecutionProvider"),
    "openvino": (OPENVINO,),
    "cpu": ("CPUExecutionProvider",),
}
"""Names that a user gives, and ONNX Runtime's providers in order of preference. The first one must really
start, or opening the model is an error; only :data:`AUTO` takes the next."""

PROCESSOR_PROVIDERS: Final = (OPENVINO, "CPUExecutionProvider")
"""ONNX Runtime's providers that compute on the processor, in its memory."""


def on_processor(provider: str) -> bool:
    """Return whether a name that a user gives stands for the processor alone, without any GPU."""
    return PROVIDERS[provider][0] in PROCESSOR_PROVIDERS
