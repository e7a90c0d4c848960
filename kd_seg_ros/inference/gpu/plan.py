"""Buffers and launches for images of one size, made once and used per frame."""

from __future__ import annotations

from collections.abc import Mapping
from ctypes import c_float, c_int
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.common.onnx_runtime import ort
from kd_seg_ros.inference.card import ModelCard
from kd_seg_ros.inference.contract import CONFIDENCE, MASK, OUTPUTS, PROBABILITY
from kd_seg_ros.inference.gpu.device import Argument, Device, Launch, address
from kd_seg_ros.inference.gpu.geometry import Geometry
from kd_seg_ros.inference.gpu.parameters import KernelParameters, NotFusedError
from kd_seg_ros.inference.gpu.taps import Taps

MOST_TAPS: Final = 8
"""Logits that are larger than the image would need more: nobody reduces logits so much."""


class Memory:
    """Buffers on a device."""

    def __init__(self, device: Device) -> None:
        self._device = device

    def put(self, array: NDArray[Any]) -> ort.OrtValue:
        """Make a buffer with an array's values; the copy is queued."""
        buffer = self.empty(array.shape, array.dtype.type)
        self._device.upload(buffer.data_ptr(), np.ascontiguousarray(array))
        return buffer

    def empty(self, shape: tuple[int, ...], dtype: Any) -> ort.OrtValue:
        """Make a buffer that holds anything."""
        return ort.OrtValue.ortvalue_from_shape_and_type(shape, dtype, self._device.name, 0)


class Constants:
    """What the kernels need of the card, on the device."""

    def __init__(self, memory: Memory, card: ModelCard) -> None:
        """Copy it there; raises NotFusedError for a calibration that the kernels do not know."""
        parameters = KernelParameters.of_card(card)
        self.ignore_id = card.ignore_id
        self.normalisation = memory.put(parameters.normalisation)
        self.scale = memory.put(parameters.scale)
        self.shift = memory.put(parameters.shift)
        self.inverse_temperature = memory.put(parameters.inverse_temperature)
        self.exponent = parameters.exponent
        self.levels = memory.put(np.zeros(256, np.uint8))
        """Lowest confidence by class, see :mod:`kd_seg_ros.inference.thresholds`; they may change."""


@dataclass(frozen=True)
class Plan:
    """Buffers and launches for images of one size."""

    image: ort.OrtValue
    """The camera's."""
    network_image: ort.OrtValue
    logits: ort.OrtValue
    maps: Mapping[str, ort.OrtValue]
    """Mask, confidence and probability."""
    prepare: Mapping[bool, Launch]
    """From the image to the network's, by whether its channels are blue, green, red."""
    best: Launch
    answer: Mapping[bool, Launch]
    """From the logits to the maps, by whether the probability is wanted."""
    kept: tuple[ort.OrtValue, ...]
    """Further buffers that the launches point to."""


def make_plan(
    device: Device,
    geometry: Geometry,
    network_image: ort.OrtValue,
    logits: ort.OrtValue,
    halves: tuple[bool, bool],
    constants: Constants,
) -> Plan:
    """Make buffers and launches.

    :param network_image: the network's input, and ``logits`` its output: its buffers.
    :param halves: whether each of the two is in half precision.
    :raises NotFusedError: if the kernels cannot do it.
    """
    memory = Memory(device)
    height, width = logits.shape()[2:]
    to_network, to_image = geometry.to_network(), geometry.to_image((height, width))
    if max(taps.count for taps in to_image) > MOST_TAPS:
        raise NotFusedError(f"logits of {height}×{width} are reduced to {geometry.working}")
    functions = device.functions(
        {
            "CLASSES": logits.shape()[1],
            "IMAGE_ROW_TAPS": to_network[0].count,
            "IMAGE_COLUMN_TAPS": to_network[1].count,
            "ROW_TAPS": to_image[0].count,
            "COLUMN_TAPS": to_image[1].count,
            "IMAGE_HALF": int(halves[0]),
            "LOGITS_HALF": int(halves[1]),
            "ADAPTIVE": int(constants.exponent != 0),
        }
    )
    image = memory.empty((*geometry.image, 3), np.uint8)
    maps = {name: memory.empty(geometry.image, dtype) for name, dtype in OUTPUTS.items()}
    best = memory.empty((height, width), np.float32)
    image_tables, logit_tables = _put_tables(memory, to_network), _put_tables(memory, to_image)

    # The arguments are in the order of kernels.cu.
    calibration = _addresses(constants.scale, constants.shift)
    prepare = {}
    for bgr in (False, True):
        arguments = [
            *(*_addresses(image), c_int(geometry.image[1]), c_int(bgr)),
            *_addresses(constants.normalisation, *image_tables),
            *map(c_int, (*geometry.working, *geometry.before, *geometry.padded)),
            *_addresses(network_image),
        ]
        prepare[bgr] = Launch.over(functions["prepare_image"], *geometry.padded, arguments)
    arguments = [*_addresses(logits), c_int(height * width), *calibration, *_addresses(best)]
    best_logit = Launch.over(functions["best_logit"], 1, height * width, arguments)
    answer = {}
    for wanted in (False, True):
        arguments = [
            *(*_addresses(logits), c_int(height), c_int(width), *calibration),
            *(*_addresses(constants.inverse_temperature), c_float(constants.exponent)),
            *_addresses(best, *logit_tables),
            *(c_int(geometry.image[0]), c_int(geometry.image[1])),
            *(*_addresses(constants.levels), c_int(constants.ignore_id)),
            *_addresses(maps[MASK], maps[CONFIDENCE]),
            address(maps[PROBABILITY].data_ptr() if wanted else 0),
        ]
        answer[wanted] = Launch.over(functions["answer"], *geometry.image, arguments)
    kept = (best, *image_tables, *logit_tables)
    return Plan(image, network_image, logits, maps, prepare, best_logit, answer, kept)


def _put_tables(memory: Memory, axes: tuple[Taps, Taps]) -> list[ort.OrtValue]:
    """Put the tables of rows and columns on the device: of each, where it begins to read, and its weights."""
    tables = []
    for taps in axes:
        tables += [memory.put(taps.first), memory.put(taps.weights.astype(np.float32))]
    return tables


def _addresses(*buffers: ort.OrtValue) -> list[Argument]:
    return [address(buffer.data_ptr()) for buffer in buffers]
