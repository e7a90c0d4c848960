"""An NVIDIA GPU by its driver: one stream of copies and kernels next to the network's.

ONNX Runtime and this module share the GPU's primary context, as all users of CUDA's runtime do; the buffers
are ONNX Runtime's. cuda-bindings is NVIDIA's own binding of driver and compiler: one package for all versions
of CUDA, which PyTorch brings along as well. CuPy would be 100 MB, and another package for each version.
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.common.errors import first_line
from kd_seg_ros.inference.gpu.device import FUNCTIONS, Launch
from kd_seg_ros.inference.gpu.nvrtc import CompilationError, compile_kernels
from kd_seg_ros.inference.gpu.page_locks import PageLocks
from kd_seg_ros.inference.gpu.parameters import NotFusedError

STAGED_FROM: Final = 2**20
"""Bytes; smaller uploads are not staged."""
STAGING_PIECES: Final = 4
"""A staged upload is cut into so many pieces: while the GPU fetches one, the processor copies the next."""


class CudaError(Exception):
    """A call of the driver failed."""


class CudaDevice:
    """The first GPU; see :class:`~kd_seg_ros.inference.gpu.device.Device` for what its methods do."""

    name = "cuda"
    _open = False

    def __init__(self, staged: bool = False) -> None:
        """Open it and make a stream.

        :param staged: uploads go through page-locked memory of our own, instead of the driver's.
        :raises NotFusedError: without the package cuda-bindings or without a driver.
        """
        try:
            from cuda.bindings import driver
        except ImportError as error:
            raise NotFusedError(
                f"the package cuda-bindings cannot be imported ({first_line(error)}): "
                "pip install 'kd_seg_ros[cuda]'"
            ) from error
        self._driver: Any = driver
        self._modules: dict[bytes, Any] = {}
        self._staged = staged
        self._staging: tuple[int, NDArray[np.uint8]] | None = None
        self._locking = True
        self._locks = PageLocks(self._lock, self._unlock)
        try:
            self._call("cuInit", 0)
            self._gpu = self._call("cuDeviceGet", 0)
            self._context = self._call("cuDevicePrimaryCtxRetain", self._gpu)
            self._open = True
            self.activate()
            flags = driver.CUstream_flags.CU_STREAM_NON_BLOCKING
            self._stream = self._call("cuStreamCreate", int(flags))
        except Exception as error:
            self.close()
            raise NotFusedError(f"the GPU's driver cannot be used: {first_line(error)}") from error

    @property
    def stream(self) -> int:
        """The stream's address, for whoever is to use it too."""
        return int(self._stream)

    def activate(self) -> None:
        """Make the calling thread use this GPU."""
        self._call("cuCtxSetCurrent", self._context)

    def functions(self, macros: Mapping[str, int]) -> Mapping[str, Any]:
        """Compile and load the kernels; raises NotFusedError."""
        try:
            code = compile_kernels(macros, self._capability())
        except (ImportError, RuntimeError, OSError, CompilationError) as error:  # RuntimeError: no NVRTC
            raise NotFusedError(f"the kernels cannot be compiled: {first_line(error)}") from error
        if code not in self._modules:
            self._modules[code] = self._call("cuModuleLoadData", code)
        module = self._modules[code]
        return {name: self._call("cuModuleGetFunction", module, name.encode()) for name in FUNCTIONS}

    def launch(self, launch: Launch) -> None:
        """Queue a kernel."""
        pointers = ctypes.addressof(launch.pointers)
        grid, block = (*launch.grid, 1), (*launch.block, 1)
        self._call("cuLaunchKernel", launch.function, *grid, *block, 0, self._stream, pointers, 0)

    def upload(self, target: int, source: NDArray[Any]) -> None:
        """Queue a copy to the GPU."""
        if not self._staged or source.nbytes < STAGED_FROM:
            # The driver copies memory that is not page-locked to its own before it returns.
            self._call("cuMemcpyHtoDAsync", target, source.ctypes.data, source.nbytes, self._stream)
            return
        start, staging = self._staging_of(source.nbytes)
        self.synchronize()  # the GPU may still read the image before
        data = source.reshape(-1).view(np.uint8)
        edges = [source.nbytes * piece // STAGING_PIECES for piece in range(STAGING_PIECES + 1)]
        for first, last in pairwise(edges):
            np.copyto(staging[first:last], data[first:last])
            self._call("cuMemcpyHtoDAsync", target + first, start + first, last - first, self._stream)

    def download(self, target: NDArray[Any], source: int) -> None:
        """Queue a copy to the host; without waiting where the memory is one that comes again."""
        arguments = target.ctypes.data, source, target.nbytes, self._stream
        if self._locking:
            self._locks.use(target)
            if self._attempt("cuMemcpyDtoHAsync", *arguments):
                return
            # Arrays that share a page, of which one alone is locked: copy without locks from now on.
            self.synchronize()
            self._locks.clear()
            self._locking = False
        self._call("cuMemcpyDtoHAsync", *arguments)

    def synchronize(self) -> None:
        """Wait for the stream."""
        self._call("cuStreamSynchronize", self._stream)

    def close(self) -> None:
        """Unload the kernels, give back memory and stream, and let go of the GPU."""
        if not self._open:
            return
        self._open = False
        # After a failure of the GPU each of these may fail too, and has nothing left to give back.
        self._attempt("cuCtxSetCurrent", self._context)
        self._locks.clear()
        if self._staging:
            self._attempt("cuMemFreeHost", self._staging[0])
            self._staging = None
        for module in self._modules.values():
            self._attempt("cuModuleUnload", module)
        self._modules.clear()
        if hasattr(self, "_stream"):
            self._attempt("cuStreamDestroy", self._stream)
        self._attempt("cuDevicePrimaryCtxRelease", self._gpu)

    def __del__(self) -> None:
        with contextlib.suppress(Exception):  # at the interpreter's end much is gone already
            self.close()

    def _capability(self) -> int:
        """Return the GPU's compute capability, 90 for 9.0."""
        attribute = self._driver.CUdevice_attribute
        major = self._call(
            "cuDeviceGetAttribute", attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, self._gpu
        )
        minor = self._call(
            "cuDeviceGetAttribute", attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, self._gpu
        )
        return 10 * major + minor

    def _staging_of(self, size: int) -> tuple[int, NDArray[np.uint8]]:
        """Return page-locked memory of at least so many bytes: its address, and as an array."""
        if self._staging is None or len(self._staging[1]) < size:
            if self._staging:
                self.synchronize()
                self._call("cuMemFreeHost", self._staging[0])
                self._staging = None
            start = int(self._call("cuMemHostAlloc", size, 0))
            memory = (ctypes.c_uint8 * size).from_address(start)
            self._staging = start, np.ctypeslib.as_array(memory)
        return self._staging

    def _lock(self, start: int, size: int) -> bool:
        return self._attempt("cuMemHostRegister", start, size, 0)

    def _unlock(self, start: int) -> None:
        self._attempt("cuMemHostUnregister", start)

    def _attempt(self, name: str, *arguments: Any) -> bool:
        """Call the driver; return whether it worked."""
        try:
            self._call(name, *arguments)
        except CudaError:
            return False
        return True

    def _call(self, name: str, *arguments: Any) -> Any:
        """Call the driver and return what it returns; raises CudaError."""
        status, *values = getattr(self._driver, name)(*arguments)
        if int(status) != 0:
            raise CudaError(f"{name}: {getattr(status, 'name', status)}")
        return values[0] if values else None
