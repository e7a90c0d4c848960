"""Running a session on memory that is there already: the message's bytes in, the published bytes out.

Without it ONNX Runtime allocates every output again for each run, and copies it on its way to NumPy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.common.long_calls import long_call
from kd_seg_ros.common.onnx_runtime import ort
from kd_seg_ros.inference.contract import BGR, CHANNELS, DOMAIN_DISTANCE, IMAGE, OUTPUTS, RGB
from kd_seg_ros.inference.providers import OPENVINO

OutputArrays = Mapping[str, NDArray[Any]]
"""Output arrays by the name of the tensor, contiguous; they are written to."""


@dataclass(frozen=True)
class RunItem:
    """An image for the network, and where its answer goes."""

    image: NDArray[np.uint8]
    """[H, W, 3], contiguous."""
    bgr: bool
    """The image's channels are blue, green, red."""
    outputs: OutputArrays
    """Arrays that are filled, by the name of the tensor."""

    @property
    def distance(self) -> float | None:
        """The image's domain distance, once it was run; None if the file does not tell it."""
        found = self.outputs.get(DOMAIN_DISTANCE)
        return None if found is None else float(found[0])


_FATAL: Final = 4
_CHANNELS_RGB, _CHANNELS_BGR = np.array(RGB, np.int64), np.array(BGR, np.int64)


class HostBinding:
    """Reads and writes the computer's memory; ONNX Runtime itself brings it to a GPU and back."""

    def __init__(self, session: ort.InferenceSession) -> None:
        self._session = session
        self.takes_bgr = takes_bgr(session)
        self.tells_distance = tells_distance(session)
        """The file has the output :data:`~kd_seg_ros.inference.contract.DOMAIN_DISTANCE`."""

    def run(self, image: NDArray[np.uint8], bgr: bool, outputs: OutputArrays) -> None:
        """Run the network.

        :param image: uint8 [H, W, 3], contiguous.
        :param bgr: the image's channels are blue, green, red; only if :attr:`takes_bgr`.
        :param outputs: arrays that are filled, by the name of the tensor.
        """
        binding = self._session.io_binding()
        bind(binding.bind_input, IMAGE, image)
        if bgr:
            bind(binding.bind_input, CHANNELS, _CHANNELS_BGR)
        for name, array in outputs.items():
            bind(binding.bind_output, name, array)
        run_bound(self._session, binding)


class DeviceBinding:
    """Fixed buffers on a CUDA device, as a CUDA graph needs them: the first run records, the others replay.

    One thread at a time may use it.
    """

    def __init__(self, session: ort.InferenceSession, size: tuple[int, int]) -> None:
        """Allocate the buffers.

        :param size: height and width of the image.
        """
        self._session = session
        self.takes_bgr = takes_bgr(session)
        self.tells_distance = tells_distance(session)
        self._image = _allocate((*size, 3), np.uint8)
        self._buffers = {name: _allocate(size, dtype) for name, dtype in OUTPUTS.items()}
        if self.tells_distance:
            self._buffers[DOMAIN_DISTANCE] = _allocate((1,), np.float32)
        self._binding = session.io_binding()
        self._binding.bind_ortvalue_input(IMAGE, self._image)
        if self.takes_bgr:
            self._channels = ort.OrtValue.ortvalue_from_numpy(_CHANNELS_RGB, "cuda", 0)
            self._binding.bind_ortvalue_input(CHANNELS, self._channels)
        for name, buffer in self._buffers.items():
            self._binding.bind_ortvalue_output(name, buffer)

    def run(self, image: NDArray[np.uint8], bgr: bool, outputs: OutputArrays) -> None:
        """Run the network, see :meth:`HostBinding.run`; the image has the buffers' size."""
        self._image.update_inplace(image)
        if self.takes_bgr:
            self._channels.update_inplace(_CHANNELS_BGR if bgr else _CHANNELS_RGB)
        run_bound(self._session, self._binding)
        for name, array in outputs.items():
            np.copyto(array, self._buffers[name].numpy())


def run_bound(session: ort.InferenceSession, binding: ort.IOBinding, wait: bool = True) -> None:
    """Run a session on bound memory; a run that does not end can be ended by a signal.

    :param wait: False returns once the work is queued in the session's stream on a GPU.
    """
    options = ort.RunOptions()
    options.log_severity_level = _FATAL  # whatever is wrong comes as an exception as well
    if not wait:
        options.add_run_config_entry("disable_synchronize_execution_providers", "1")
    with long_call(partial(setattr, options, "terminate", True)):
        session.run_with_iobinding(binding, options)


def takes_bgr(session: ort.InferenceSession) -> bool:
    """Return whether the file has the optional input that tells the order of the image's channels.

    Not with OpenVINO, which takes the input's default for a constant.
    """
    if session.get_providers()[0] == OPENVINO:
        return False
    return any(tensor.name == CHANNELS for tensor in session.get_overridable_initializers())


def tells_distance(session: ort.InferenceSession) -> bool:
    """Return whether the file tells how far an image is from those of calibration."""
    return any(tensor.name == DOMAIN_DISTANCE for tensor in session.get_outputs())


def bind(bind_tensor: Any, name: str, array: NDArray[Any]) -> None:
    """Bind an input or output to an array, by a method of ONNX Runtime's binding."""
    bind_tensor(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)


def _allocate(shape: tuple[int, ...], dtype: type[Any]) -> ort.OrtValue:
    return ort.OrtValue.ortvalue_from_shape_and_type(shape, dtype, "cuda", 0)
