"""Running a model with kernels of our own around its network: image in, maps out, one wait per frame.

Everything goes through one stream, in this order: the image to the device, the kernel that prepares it, the
network in ONNX Runtime, the two kernels that make the maps, the maps to the host. The host waits once, at the
end. All buffers stay where they are from frame to frame, as a CUDA graph needs it.

The next image is not uploaded while the network works on this one: the worker takes the newest image when a
frame is done, so that an image sent ahead would often be an old one by then. It would spare the upload, half
a millisecond at 1080p, for a second buffer and a second thread of control.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.common.onnx_runtime import ort
from kd_seg_ros.inference.binding import OutputArrays, run_bound, tells_distance
from kd_seg_ros.inference.card import ModelCard
from kd_seg_ros.inference.contract import DOMAIN_DISTANCE, NETWORK_IMAGE, NETWORK_LOGITS, PROBABILITY
from kd_seg_ros.inference.gpu.device import Device
from kd_seg_ros.inference.gpu.geometry import Geometry, Size
from kd_seg_ros.inference.gpu.parameters import NotFusedError
from kd_seg_ros.inference.gpu.plan import Constants, Memory, Plan, make_plan
from kd_seg_ros.inference.thresholds import MinConfidenceLevels

_TYPES: Final[dict[str, type[np.generic]]] = {"tensor(float16)": np.float16, "tensor(float)": np.float32}


class FusedBinding:
    """Takes the place of :class:`~kd_seg_ros.inference.binding.HostBinding`; one thread at a time uses it."""

    takes_bgr = True

    def __init__(self, device: Device, session: ort.InferenceSession, card: ModelCard) -> None:
        """Prepare for images of the card's size.

        :param device: is closed together with this.
        :param session: of the network alone, on the device's stream.
        :param card: tells what is to be done before and after the network.
        :raises NotFusedError: if the kernels cannot do what the card says.
        """
        self._device = device
        self._session = session
        self.card = card
        self.provider: str = session.get_providers()[0]
        """ONNX Runtime's name of what the network runs on."""
        self.tells_distance = tells_distance(session)
        """The network's part of the file tells how far an image is from those of calibration."""
        image, logits = session.get_inputs()[0], session.get_outputs()[0]
        if image.type not in _TYPES or logits.type not in _TYPES:
            raise NotFusedError(f"the kernels do not know networks of {image.type} and {logits.type}")
        self._image_shape, self._image_type = image.shape, _TYPES[image.type]
        self._logits_shape, self._logits_type = logits.shape, _TYPES[logits.type]
        device.activate()
        self._levels = np.zeros(256, np.uint8)
        self._constants = Constants(Memory(device), card)
        self._network = session.io_binding()
        self._distance = Memory(device).empty((1,), np.float32)
        self._size: Size = (card.height, card.width)
        self._plan = self._make_plan(self._size)

    def run(
        self,
        image: NDArray[np.uint8],
        bgr: bool,
        outputs: OutputArrays,
        levels: MinConfidenceLevels | None = None,
    ) -> None:
        """Run the network.

        :param image: uint8 [H, W, 3], contiguous, of the file's size unless that is open.
        :param bgr: the image's channels are blue, green, red.
        :param outputs: arrays that are filled, by the name of the tensor.
        :param levels: pixels whose confidence is below that of their class get the ignore id; None: none do.
        """
        self._prepare(image, bgr, levels)
        self._run_session()
        self._answer(outputs)
        self._device.synchronize()

    def run_network(self) -> None:
        """Run the network alone on whatever is in its buffers, to measure it."""
        self._device.activate()
        self._run_session()
        self._device.synchronize()

    def run_kernels(
        self, image: NDArray[np.uint8], bgr: bool, logits: NDArray[Any], outputs: OutputArrays
    ) -> NDArray[Any]:
        """Run the kernels without the network, to compare them with the file's own nodes.

        :param logits: what the network is taken to answer, of the shape and type of :attr:`logits`.
        :param outputs: arrays that are filled, by the name of the tensor.
        :return: the network's image.
        """
        self._prepare(image, bgr, None)
        network_image = self._plan.network_image
        prepared = np.empty(network_image.shape(), self._image_type)
        self._device.download(prepared, network_image.data_ptr())
        self._device.upload(self._plan.logits.data_ptr(), logits)
        self._answer(outputs)
        self._device.synchronize()
        return prepared

    @property
    def logits(self) -> tuple[tuple[int, ...], type[np.generic]]:
        """Shape and type of the network's answer to the image before."""
        return tuple(self._plan.logits.shape()), self._logits_type

    def close(self) -> None:
        """Free the device's memory; nothing can be run afterwards."""
        self._release()
        self._device.close()

    def _release(self) -> None:
        """Let go of the buffers, which are the session's memory, and then of the session."""
        for name in ("_plan", "_constants", "_distance", "_network", "_session"):
            vars(self).pop(name, None)

    def __del__(self) -> None:
        self._release()  # before the device, which closes itself

    def _prepare(self, image: NDArray[np.uint8], bgr: bool, levels: MinConfidenceLevels | None) -> None:
        """Queue all that comes before the network."""
        device = self._device
        device.activate()
        if image.shape[:2] != self._size:
            self._size = image.shape[:2]
            self._plan = self._make_plan(self._size)
        if levels is None:
            levels = np.zeros(256, np.uint8)
        if not np.array_equal(levels, self._levels):
            self._levels = levels.copy()
            device.upload(self._constants.levels.data_ptr(), self._levels)
        device.upload(self._plan.image.data_ptr(), image)
        device.launch(self._plan.prepare[bgr])

    def _answer(self, outputs: OutputArrays) -> None:
        """Queue all that comes after the network."""
        device = self._device
        device.launch(self._plan.best)
        device.launch(self._plan.answer[PROBABILITY in outputs])
        for name, array in outputs.items():
            source = self._distance if name == DOMAIN_DISTANCE else self._plan.maps[name]
            device.download(array, source.data_ptr())

    def _run_session(self) -> None:
        """Queue the network."""
        run_bound(self._session, self._network, wait=False)

    def _make_plan(self, size: Size) -> Plan:
        """Make the plan for images of (height, width), and bind the network to its buffers."""
        geometry = Geometry.of_image(size, self.card)
        wanted = [1, 3, *geometry.padded]
        shape = self._image_shape
        if len(shape) != 4 or any(isinstance(a, int) and a != b for a, b in zip(shape, wanted, strict=True)):
            raise NotFusedError(f"the network takes {shape}, but by the model card {wanted}")
        network_image = Memory(self._device).empty(tuple(wanted), self._image_type)
        self._network.bind_ortvalue_input(NETWORK_IMAGE, network_image)
        logits = self._bind_logits()
        classes = len(self.card.class_names)
        if len(logits.shape()) != 4 or logits.shape()[:2] != [1, classes]:
            raise NotFusedError(f"the network answers {logits.shape()}, but its card has {classes} classes")
        halves = self._image_type is np.float16, self._logits_type is np.float16
        return make_plan(self._device, geometry, network_image, logits, halves, self._constants)

    def _bind_logits(self) -> ort.OrtValue:
        """Give the network buffers for its answers; run it once where only a run tells the logits' size."""
        if all(isinstance(side, int) for side in self._logits_shape):
            logits = Memory(self._device).empty(tuple(self._logits_shape), self._logits_type)
        else:
            self._network.bind_output(NETWORK_LOGITS, self._device.name, 0)
            self._bind_distance()
            self._run_session()
            self._device.synchronize()
            logits = self._network.get_outputs()[0]
        self._network.bind_ortvalue_output(NETWORK_LOGITS, logits)
        self._bind_distance()
        return logits

    def _bind_distance(self) -> None:
        """Give the network a buffer for the domain distance, if it tells that."""
        if self.tells_distance:
            self._network.bind_ortvalue_output(DOMAIN_DISTANCE, self._distance)
