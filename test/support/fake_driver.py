# ruff: noqa: N802 (the driver's own names)
"""The functions of ``cuda.bindings.driver`` that the project calls, on the host's memory.

Each call is checked against the signature that the real package documents, where that is installed. Kernels
are those compiled for the host (:mod:`host_device`).
"""

from __future__ import annotations

import ctypes
import enum
import importlib
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from host_device import library


class Status(enum.IntEnum):
    """The driver's answers that the tests need."""

    CUDA_SUCCESS = 0
    CUDA_ERROR_INVALID_VALUE = 1
    CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED = 712


def parameter_count(name: str) -> int | None:
    """Return how many arguments a function of the real package takes; None without the package."""
    try:
        driver = importlib.import_module("cuda.bindings.driver")
    except ImportError:
        return None
    signature = re.match(r"\w+\((.*)\)", str(getattr(driver, name).__doc__).splitlines()[0])
    assert signature, name
    return len(signature[1].split(",")) if signature[1] else 0


class FakeDriver:
    """Stands in for the module ``cuda.bindings.driver``."""

    CUstream_flags = SimpleNamespace(CU_STREAM_NON_BLOCKING=1)
    CUdevice_attribute = SimpleNamespace(
        CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR="major",
        CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR="minor",
    )

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.failing: set[str] = set()
        """Functions that return an error."""
        self.registered: dict[int, int] = {}
        self.allocated: dict[int, Any] = {}
        self.contexts = 0
        self.streams = 0
        self.modules = 0

    def __getattr__(self, name: str) -> Callable[..., tuple[Any, ...]]:
        if not name.startswith("cu"):
            raise AttributeError(name)
        work = getattr(self, f"_{name}", None)

        def call(*arguments: Any) -> tuple[Any, ...]:
            wanted = parameter_count(name)
            assert wanted is None or len(arguments) == wanted, name
            self.calls.append(name)
            if name in self.failing:
                return (Status.CUDA_ERROR_INVALID_VALUE, None)
            value = work(*arguments) if work else None
            if isinstance(value, Status):
                return (value,)
            return (Status.CUDA_SUCCESS,) if value is None else (Status.CUDA_SUCCESS, value)

        return call

    def _cuDeviceGet(self, ordinal: int) -> str:
        return f"gpu {ordinal}"

    def _cuDevicePrimaryCtxRetain(self, _device: str) -> str:
        self.contexts += 1
        return "context"

    def _cuDevicePrimaryCtxRelease(self, _device: str) -> None:
        self.contexts -= 1

    def _cuDeviceGetAttribute(self, attribute: str, _device: str) -> int:
        return {"major": 9, "minor": 0}[attribute]

    def _cuStreamCreate(self, _flags: int) -> int:
        self.streams += 1
        return 4711

    def _cuStreamDestroy(self, _stream: int) -> None:
        self.streams -= 1

    def _cuModuleLoadData(self, code: bytes) -> ctypes.CDLL:
        self.modules += 1
        return library(eval(code))  # what fake_code() wrote

    def _cuModuleUnload(self, _module: Any) -> None:
        self.modules -= 1

    def _cuModuleGetFunction(self, module: ctypes.CDLL, name: bytes) -> tuple[bytes, ctypes.CDLL]:
        return name, module

    def _cuLaunchKernel(self, function: tuple[bytes, ctypes.CDLL], *arguments: Any) -> None:
        grid, block, (shared, stream, pointers, extra) = arguments[:3], arguments[3:6], arguments[6:]
        assert (grid[2], block[2], shared, stream, extra) == (1, 1, 0, 4711, 0)
        shape = (ctypes.c_int * 4)(*grid[:2], *block[:2])
        assert function[1].launch(function[0], shape, ctypes.c_void_p(pointers)) == 0

    def _cuMemcpyHtoDAsync(self, target: int, source: int, size: int, _stream: int) -> None:
        ctypes.memmove(target, source, size)

    def _cuMemcpyDtoHAsync(self, target: int, source: int, size: int, _stream: int) -> None:
        ctypes.memmove(target, source, size)

    def _cuMemHostAlloc(self, size: int, _flags: int) -> int:
        memory = (ctypes.c_uint8 * size)()
        start = ctypes.addressof(memory)
        self.allocated[start] = memory
        return start

    def _cuMemFreeHost(self, start: int) -> None:
        del self.allocated[start]

    def _cuMemHostRegister(self, start: int, size: int, _flags: int) -> Status | None:
        if start in self.registered:
            return Status.CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED
        self.registered[start] = size
        return None

    def _cuMemHostUnregister(self, start: int) -> None:
        del self.registered[start]


def fake_code(macros: Any, _capability: int) -> bytes:
    """Stand in for the compiler: the macros themselves."""
    return repr(tuple(sorted(macros.items()))).encode()
