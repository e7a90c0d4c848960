"""What the kernels run on: memory, a queue of work, and functions that are launched over a grid of threads.

:class:`Device` is all that :mod:`kd_seg_ros.inference.gpu.fused_binding` knows of CUDA. The tests have a
second one, which runs the same kernels on the host.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from numpy.typing import NDArray

BLOCK: Final = (32, 8)
"""Threads of a block, in x and y: neighbours in x read and write neighbouring memory."""
FUNCTIONS: Final = ("prepare_image", "best_logit", "answer")
"""Names of the kernels in kernels.cu."""

Argument = ctypes.c_int | ctypes.c_float | ctypes.c_void_p
"""A kernel's argument: a number, or an address of the device's memory."""


def address(value: int) -> ctypes.c_void_p:
    """Return an address of the device's memory as an argument; 0 is null."""
    return ctypes.c_void_p(value)


@dataclass(frozen=True)
class Launch:
    """A kernel with its arguments, made once and launched per frame."""

    function: Any
    """The device's handle of the kernel."""
    grid: tuple[int, int]
    """Blocks in x and y."""
    block: tuple[int, int]
    """Threads of a block in x and y."""
    arguments: Sequence[Argument]
    pointers: Any = field(init=False)
    """Addresses of the arguments, as CUDA takes them."""

    def __post_init__(self) -> None:
        pointers = [ctypes.addressof(argument) for argument in self.arguments]
        object.__setattr__(self, "pointers", (ctypes.c_void_p * len(pointers))(*pointers))

    @classmethod
    def over(cls, function: Any, height: int, width: int, arguments: Sequence[Argument]) -> Launch:
        """Make a launch of one thread per pixel of ``height`` × ``width``."""
        block = BLOCK if height > 1 else (BLOCK[0] * BLOCK[1], 1)
        return cls(function, (-(-width // block[0]), -(-height // block[1])), block, arguments)


class Device(Protocol):
    """Memory and a stream: a queue of copies and kernels, carried out in order while the host goes on."""

    name: str
    """ONNX Runtime's name of where the memory is: ``cuda`` or ``cpu``."""

    def activate(self) -> None:
        """Make the calling thread use this device; called once per frame, which any thread may run."""

    def functions(self, macros: Mapping[str, int]) -> Mapping[str, Any]:
        """Return the handles of :data:`FUNCTIONS`, compiled with these macros."""

    def launch(self, launch: Launch) -> None:
        """Queue a kernel."""

    def upload(self, target: int, source: NDArray[Any]) -> None:
        """Queue a copy of a contiguous array to the device; the array may change afterwards.

        :param target: address on the device.
        """

    def download(self, target: NDArray[Any], source: int) -> None:
        """Queue a copy into a contiguous array, which is complete after :meth:`synchronize`.

        :param source: address on the device.
        """

    def synchronize(self) -> None:
        """Wait until all that was queued is done."""

    def close(self) -> None:
        """Give back what was taken; further calls do nothing."""
