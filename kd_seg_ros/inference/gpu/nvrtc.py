"""Compiling the kernels for the GPU at hand, by NVIDIA's run-time compiler (NVRTC), when a model is opened.

It takes half a second. The result is kept in memory, so that opening the engine again after a failure does
not compile again.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from typing import Any, Final

SOURCE: Final = "kernels.cu"


class CompilationError(Exception):
    """The kernels could not be compiled, and why."""


def kernel_source() -> str:
    """Return the kernels in CUDA C."""
    return (resources.files(__package__) / SOURCE).read_text(encoding="utf-8")


def compile_kernels(macros: Mapping[str, int], capability: int) -> bytes:
    """Return the kernels as the driver loads them: machine code, or PTX for a GPU newer than the compiler.

    :param macros: see the head of kernels.cu.
    :param capability: of the GPU, 90 for 9.0.
    :raises CompilationError: with the compiler's first complaint.
    """
    return _compiled(tuple(sorted(macros.items())), capability)


@lru_cache(maxsize=16)
def _compiled(macros: tuple[tuple[str, int], ...], capability: int) -> bytes:
    from cuda.bindings import nvrtc

    known = _value(nvrtc.nvrtcGetSupportedArchs())
    older = [architecture for architecture in known if architecture <= capability]
    if not older:
        raise CompilationError(f"NVRTC does not compile for GPUs of compute capability {capability / 10}")
    # Machine code runs on the GPU it was made for; PTX of an older one is compiled by the driver.
    own = capability in known
    architecture = f"sm_{capability}" if own else f"compute_{max(older)}"
    options = [f"-D{name}={value}" for name, value in macros]
    options += [f"--gpu-architecture={architecture}", "--std=c++17"]

    program = _value(nvrtc.nvrtcCreateProgram(kernel_source().encode(), SOURCE.encode(), 0, [], []))
    try:
        (status,) = nvrtc.nvrtcCompileProgram(program, len(options), [text.encode() for text in options])
        if status != nvrtc.nvrtcResult.NVRTC_SUCCESS:
            raise CompilationError(_log(nvrtc, program) or str(status))
        if own:
            code = bytearray(_value(nvrtc.nvrtcGetCUBINSize(program)))
            _value(nvrtc.nvrtcGetCUBIN(program, code))
        else:
            code = bytearray(_value(nvrtc.nvrtcGetPTXSize(program)))
            _value(nvrtc.nvrtcGetPTX(program, code))
    finally:
        nvrtc.nvrtcDestroyProgram(program)
    return bytes(code)


def _log(nvrtc: Any, program: Any) -> str:
    """Return the first line of what the compiler says."""
    log = bytearray(_value(nvrtc.nvrtcGetProgramLogSize(program)))
    _value(nvrtc.nvrtcGetProgramLog(program, log))
    return log.rstrip(b"\0").decode(errors="replace").strip().partition("\n")[0]


def _value(answer: tuple[Any, ...]) -> Any:
    """Return what an NVRTC function returns next to its status; raises CompilationError."""
    status, *values = answer
    if status != 0:
        raise CompilationError(f"NVRTC: {status}")
    return values[0] if values else None
