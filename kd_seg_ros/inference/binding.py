"""Running a session on memory that is there already: the message's bytes in, the published bytes out.

Without it ONNX Runtime allocates each output anew, and copies it once more on its way to NumPy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

OutputArrays = Mapping[str, NDArray[Any]]
"""Output arrays by the name of the tensor, contiguous; they are written to."""

CHANNELS: Final = "channels"
"""Optional input int64 [3]: where the network finds red, green and blue in the image."""
RGB: Final = np.array([0, 1, 2], np.int64)
BGR: Final = np.array([2, 1, 0], np.int64)


class HostBinding:
    """Reads and writes the computer's memory; ONNX Runtime itself brings it to a GPU and back."""

    def __init__(self, session: ort.InferenceSession) -> None:
        self._session = session
        self.takes_bgr = takes_bgr(session)

    def run(self, image: NDArray[np.uint8], bgr: bool, maps: OutputArrays) -> None:
        """Run the network.

        :param image: uint8 [H, W, 3], contiguous.
        :param bgr: its channels are blue, green, red; only if :attr:`takes_bgr`.
        """
        binding = self._session.io_binding()
        _bind(binding.bind_input, "image", image)
        if bgr:
            _bind(binding.bind_input, CHANNELS, BGR)
        for name, array in maps.items():
            _bind(binding.bind_output, name, array)
        self._session.run_with_iobinding(binding)


class DeviceBinding:
    """Fixed buffers on a CUDA device, as a CUDA graph needs them: its first run records, the others replay.

    Not for two threads at once.
    """

    def __init__(self, session: ort.InferenceSession, size: tuple[int, int]) -> None:
        """Allocate the buffers.

        :param size: height and width of the image.
        """
        self._session = session
        self.takes_bgr = takes_bgr(session)
        self._image = _allocate((*size, 3), np.uint8)
        self._maps = {
            "mask": _allocate(size, np.uint8),
            "confidence": _allocate(size, np.uint8),
            "probability": _allocate(size, np.float32),
        }
        self._binding = session.io_binding()
        self._binding.bind_ortvalue_input("image", self._image)
        if self.takes_bgr:
            self._channels = ort.OrtValue.ortvalue_from_numpy(RGB, "cuda", 0)
            self._binding.bind_ortvalue_input(CHANNELS, self._channels)
        for name, buffer in self._maps.items():
            self._binding.bind_ortvalue_output(name, buffer)

    def run(self, image: NDArray[np.uint8], bgr: bool, maps: OutputArrays) -> None:
        """Run the network, see :meth:`HostBinding.run`; the image has the buffers' size."""
        self._image.update_inplace(image)
        if self.takes_bgr:
            self._channels.update_inplace(BGR if bgr else RGB)
        self._session.run_with_iobinding(self._binding)
        for name, array in maps.items():
            np.copyto(array, self._maps[name].numpy())


def takes_bgr(session: ort.InferenceSession) -> bool:
    """Whether the network can be told the order of the image's channels."""
    return any(tensor.name == CHANNELS for tensor in session.get_overridable_initializers())


def _bind(bind: Any, name: str, array: NDArray[Any]) -> None:
    bind(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)


def _allocate(shape: tuple[int, ...], dtype: type[Any]) -> ort.OrtValue:
    return ort.OrtValue.ortvalue_from_shape_and_type(shape, dtype, "cuda", 0)
