"""Several images in one run of a network: each is prepared and answered alone, all go through it together.

The file itself takes one image. It is cut at its network's borders
(:mod:`kd_seg_ros.inference.gpu.split_file`), and of the three parts the middle one takes as many images as
there are. All parts run on one provider; what passes between them stays on its device.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.common.onnx_runtime import ort
from kd_seg_ros.inference.binding import OutputArrays, RunItem, bind, run_bound, takes_bgr, tells_distance
from kd_seg_ros.inference.card import ModelCard
from kd_seg_ros.inference.contract import (
    BATCH,
    BGR,
    CHANNELS,
    DOMAIN_DISTANCE,
    IMAGE,
    NETWORK_IMAGE,
    NETWORK_LOGITS,
    RGB,
)
from kd_seg_ros.inference.errors import EngineError
from kd_seg_ros.inference.gpu.geometry import Geometry
from kd_seg_ros.inference.gpu.opening import describe
from kd_seg_ros.inference.gpu.parameters import NotFusedError
from kd_seg_ros.inference.gpu.split_file import SplitFile
from kd_seg_ros.inference.onnx_file import OnnxFile, read_onnx_file
from kd_seg_ros.inference.opening import OpenedModel, check_contract, provider_name, read_card
from kd_seg_ros.inference.providers import AUTO
from kd_seg_ros.inference.session import open_session
from kd_seg_ros.inference.settings import SessionSettings

_TYPES: Final[dict[str, type[np.generic]]] = {"tensor(float16)": np.float16, "tensor(float)": np.float32}
BATCH_PROVIDERS: Final = (AUTO, "cuda", "cpu")
"""Those that take any number of images without compiling the network again for it, as TensorRT would."""
_DEVICES: Final = {"CUDAExecutionProvider": "cuda", "CPUExecutionProvider": "cpu"}
"""Where ONNX Runtime's providers keep their values, by its names."""
_CHANNELS: Final = {False: np.array(RGB, np.int64), True: np.array(BGR, np.int64)}
"""Values of the input ``channels`` for red, green, blue (False) and blue, green, red (True)."""

_log = logging.getLogger(__name__)


def open_batched(path: Path, settings: SessionSettings) -> OpenedModel:
    """Open a model file for several images per run.

    There are no CUDA graphs, which need a fixed number of images, and no kernels of our own: the file's own
    nodes do the work before and after the network. On a GPU the log says so.

    :raises EngineError: as :func:`kd_seg_ros.inference.opening.open_model`; and for a file whose network
        takes one image per run, for other providers than :data:`BATCH_PROVIDERS`, and where the package
        ``onnx`` is missing.
    """
    if settings.provider not in BATCH_PROVIDERS:
        raise EngineError(
            f"batch: true is for the providers {', '.join(BATCH_PROVIDERS)}, not {settings.provider!r}: "
            "choose one of these, or leave batch out"
        )
    file = read_onnx_file(path)
    try:
        size, dynamic, card = check_contract(path, describe(file), read_card(file))
        split = SplitFile.of_file(file.content)
    except NotFusedError as error:
        raise EngineError(f"{path}: cannot be run in batches: {error}") from error
    if dynamic and card.padding_multiple < 1:
        raise EngineError(
            f"{path}: cannot be run in batches: its model card does not tell how images are padded: "
            "export the model again"
        )
    settings = replace(settings, cuda_graph=False, open_batch=True)
    network = open_session(replace(file, content=split.network), settings, _has_open_sides)
    if network.get_inputs()[0].shape[0] != BATCH:
        raise EngineError(
            f"{path}: its network takes one image per run: export it with --batch for batch: true, or "
            "leave batch out"
        )
    provider = network.get_providers()[0]
    # What "auto" has chosen for the network is what the other parts must run on.
    settings = replace(settings, provider=provider_name(provider))
    before = _open_part(file, split.before, settings)
    after = _open_part(file, split.after, settings)
    if provider != "CPUExecutionProvider":
        _log.info(
            "batch: the file's own nodes do the work before and after the network, without kernels of our "
            "own and without a CUDA graph"
        )
    return OpenedModel(
        card, size, dynamic, file.sha256, provider, None, BatchedRun(before, network, after, card)
    )


def _open_part(file: OnnxFile, content: bytes, settings: SessionSettings) -> ort.InferenceSession:
    return open_session(replace(file, content=content), settings, lambda _: file.open_size)


def _has_open_sides(_session: ort.InferenceSession) -> bool:
    """Return True: what a network computes of the number of images, a few numbers, may stay on the CPU."""
    return True


class BatchedRun:
    """Takes the place of :class:`~kd_seg_ros.inference.binding.HostBinding`; one thread at a time uses it."""

    def __init__(
        self,
        before: ort.InferenceSession,
        network: ort.InferenceSession,
        after: ort.InferenceSession,
        card: ModelCard,
    ) -> None:
        """Keep the sessions of the file's three parts, all on one provider.

        :param card: tells the size of the network's image where the file's is open.
        """
        self._before, self._network, self._after, self._card = before, network, after, card
        self.takes_bgr = takes_bgr(before)
        self.tells_distance = tells_distance(network)
        """The network's part of the file tells how far an image is from those of calibration."""
        self._device = _DEVICES[network.get_providers()[0]]
        pixels = network.get_inputs()[0]
        self._type = _TYPES[pixels.type]
        self._sides = pixels.shape[2:]
        self._needs_size = any(tensor.name == IMAGE for tensor in after.get_inputs())
        self._buffer: ort.OrtValue | None = None

    def run(self, image: NDArray[np.uint8], bgr: bool, outputs: OutputArrays) -> None:
        """Run the network for one image, see :meth:`kd_seg_ros.inference.binding.HostBinding.run`."""
        self.run_batch([RunItem(image, bgr, outputs)])

    def run_batch(self, items: Sequence[RunItem]) -> None:
        """Run the network once for images of one size, which is the file's unless that is open.

        :raises Exception: ONNX Runtime's, if a part fails; then no image has an answer.
        """
        shape = (len(items), 3, *self._network_size(items[0].image.shape[:2]))
        buffer = self._buffer_of(shape)

        # Each image is prepared into its place in the network's image [N, 3, h, w].
        for number, item in enumerate(items):
            binding = self._before.io_binding()
            bind(binding.bind_input, IMAGE, item.image)
            if self.takes_bgr:
                bind(binding.bind_input, CHANNELS, _CHANNELS[item.bgr])
            place = self._place(buffer, shape, number)
            binding.bind_output(NETWORK_IMAGE, self._device, 0, self._type, (1, *shape[1:]), place)
            run_bound(self._before, binding)

        # All go through the network.
        binding = self._network.io_binding()
        binding.bind_input(NETWORK_IMAGE, self._device, 0, self._type, shape, buffer.data_ptr())
        binding.bind_output(NETWORK_LOGITS, self._device, 0)
        distances = np.empty(len(items), np.float32)
        if self.tells_distance:
            bind(binding.bind_output, DOMAIN_DISTANCE, distances)
        run_bound(self._network, binding)
        logits = binding.get_outputs()[0]

        # Each image is answered from its place in the logits [N, C, h', w'].
        for number, item in enumerate(items):
            self._answer(item, logits, number)
            if self.tells_distance:
                item.outputs[DOMAIN_DISTANCE][0] = distances[number]

    def _answer(self, item: RunItem, logits: ort.OrtValue, number: int) -> None:
        """Make an image's maps of the logits at a place in the batch."""
        shape, dtype = tuple(logits.shape()), _TYPES[logits.data_type()]
        binding = self._after.io_binding()
        place = _address(logits.data_ptr(), shape, dtype, number)
        binding.bind_input(NETWORK_LOGITS, self._device, 0, dtype, (1, *shape[1:]), place)
        if self._needs_size:
            bind(binding.bind_input, IMAGE, item.image)
        for name, array in item.outputs.items():
            if name != DOMAIN_DISTANCE:
                bind(binding.bind_output, name, array)
        run_bound(self._after, binding)

    def _network_size(self, size: tuple[int, ...]) -> tuple[int, int]:
        """Return height and width of the network's padded image for an image of (height, width)."""
        height, width = self._sides
        if isinstance(height, int) and isinstance(width, int):
            return height, width
        return Geometry.of_image((size[0], size[1]), self._card).padded

    def _buffer_of(self, shape: tuple[int, ...]) -> ort.OrtValue:
        """Return memory on the device for the network's image; it is kept until another shape is needed."""
        if self._buffer is None or tuple(self._buffer.shape()) != shape:
            self._buffer = None  # frees it before other memory is asked for
            self._buffer = ort.OrtValue.ortvalue_from_shape_and_type(shape, self._type, self._device, 0)
        return self._buffer

    def _place(self, buffer: ort.OrtValue, shape: tuple[int, ...], number: int) -> int:
        return _address(buffer.data_ptr(), shape, self._type, number)


def _address(start: int, shape: tuple[int, ...], dtype: type[Any], number: int) -> int:
    """Return the address of one image's part of a tensor [N, …] that begins at ``start``."""
    return start + number * int(np.prod(shape[1:])) * np.dtype(dtype).itemsize
