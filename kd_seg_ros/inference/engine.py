"""A model file in ONNX Runtime: colour image in, class and confidence per pixel out. No ROS in here.

A file is compared with the contract (:mod:`kd_seg_ros.inference.contract`) when it is opened.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.common.errors import first_line
from kd_seg_ros.common.onnx_runtime import ort
from kd_seg_ros.inference.binding import DeviceBinding, HostBinding
from kd_seg_ros.inference.card import CardError, ModelCard
from kd_seg_ros.inference.contract import IMAGE, METADATA_KEY, OUTPUTS
from kd_seg_ros.inference.digest import check_digest
from kd_seg_ros.inference.errors import EngineError
from kd_seg_ros.inference.onnx_file import OnnxFile, read_onnx_file
from kd_seg_ros.inference.providers import AUTO, PROVIDERS
from kd_seg_ros.inference.session import open_session
from kd_seg_ros.inference.settings import SessionSettings

__all__ = ["Engine", "EngineError", "Prediction", "SessionSettings"]

_TYPE_NAMES: Final = {np.uint8: "tensor(uint8)", np.float32: "tensor(float)"}
"""What ONNX Runtime calls NumPy's types."""
_TENSORS: Final = {
    IMAGE: (_TYPE_NAMES[np.uint8], 3),
    **{name: (_TYPE_NAMES[dtype], 2) for name, dtype in OUTPUTS.items()},
}
"""ONNX Runtime's name of the type, and the number of dimensions, of each tensor a file must have."""


@dataclass(frozen=True)
class Prediction:
    """The network's answer for one image: arrays of one height and width."""

    mask: NDArray[np.uint8]
    """Class id of each pixel, [H, W]."""
    confidence: NDArray[np.uint8]
    """round(255 · calibrated probability of that class), [H, W]."""
    probability: NDArray[np.float32] | None = None
    """The probability itself, 0…1, [H, W]; None unless it was asked for."""

    @classmethod
    def empty(cls, size: tuple[int, int], probability: bool = False) -> Prediction:
        """Make arrays to be written to.

        :param size: (height, width).
        """
        mask, confidence = np.empty((2, *size), np.uint8)
        return cls(mask, confidence, np.empty(size, np.float32) if probability else None)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays that are there, by the name of their tensor."""
        return {name: array for name, array in vars(self).items() if array is not None}


class Engine:
    """One model file, ready to run; one thread at a time, since each run already uses all of the device."""

    card: ModelCard
    provider: str
    """The ONNX Runtime provider in use, e.g. ``CUDAExecutionProvider``."""
    size: tuple[int, int]
    """Height and width the file was exported for."""
    dynamic: bool
    """The file takes images of any size; ``size`` is the one it is meant for."""
    sha256: str
    """SHA-256 of the file, hexadecimal."""

    def __init__(
        self,
        path: str | Path,
        provider: str = "cuda",
        *,
        cuda_graph: bool = False,
        nhwc: bool = True,
        threads: int = 0,
    ) -> None:
        """Open a model file.

        :param provider: ``cuda``, ``tensorrt`` or ``cpu``: that one or an error. ``auto``: ``cuda`` if it
            starts, else ``cpu`` with a warning in the log.
        :param cuda_graph: record the GPU's work for one frame and replay it (``cuda``, a file of fixed size).
        :param nhwc: on CUDA, keep feature maps with the channels last and add biases inside convolutions.
        :param threads: threads that compute on the CPU; 0: one for each core that this process may use.
        :raises EngineError: if the file is missing, damaged, not one of ours or without a model card, or
            if the provider does not start.
        """
        self._path = Path(path)
        self._settings = SessionSettings(provider, cuda_graph, nhwc, threads=threads)
        self._open()

    def _open(self) -> None:
        """Start the provider with the file; raises EngineError."""
        try:
            self._start()
        except EngineError:
            raise
        except Exception as error:  # the file has gone, or no memory on a device
            raise EngineError(f"{self._path}: {first_line(error)}") from error

    def _start(self) -> None:
        settings, path = self._settings, self._path
        if settings.cuda_graph and settings.provider != "cuda":
            raise EngineError(f"a CUDA graph needs provider 'cuda', not {settings.provider!r}")
        file = read_onnx_file(path)
        self.sha256 = file.sha256
        card = read_card(file)
        session = open_session(file, settings, lambda found: _check_contract(path, found, card)[1])
        self.provider = session.get_providers()[0]
        if settings.provider == AUTO:
            # Chosen once: a GPU that is lost later is started again, not replaced by the CPU.
            self._settings = replace(settings, provider=_name_of(self.provider))
        self.size, self.dynamic, self.card = _check_contract(path, session, card)
        if settings.cuda_graph and self.dynamic:
            raise EngineError(f"{path}: a CUDA graph needs a file of fixed size")
        self._session = session
        self._binding: HostBinding | DeviceBinding = (
            DeviceBinding(session, self.size) if settings.cuda_graph else HostBinding(session)
        )

    def reopen(self) -> None:
        """Start the provider with the file again, after a run has failed.

        :raises EngineError: as on opening, or if the file has changed since.
        """
        before = self.sha256
        for name in ("_session", "_binding"):  # frees a device's memory before it is asked for again
            vars(self).pop(name, None)
        self._open()
        if self.sha256 != before:
            raise EngineError(f"{self._path} has changed since it was opened")

    def warm_up(self) -> None:
        """Run once on a black image: the first run allocates memory and chooses algorithms."""
        self.segment(np.zeros((*self.size, 3), np.uint8))

    def segment(
        self,
        image: NDArray[np.uint8],
        probability: bool = False,
        *,
        bgr: bool = False,
        out: Prediction | None = None,
    ) -> Prediction:
        """Classify every pixel of a colour image, uint8 [H, W, 3].

        An image of another size than the file's is stretched to it (averaging over the covered area
        when it shrinks, bilinear when it grows) and the answer is brought back by nearest neighbour,
        so that a pixel's class, confidence and probability stay together. It is stretched, not padded, so
        a camera should have the aspect ratio of the training images. A file of open size takes the image as
        it is.

        :param probability: also fetch the unrounded probability.
        :param bgr: the image's channels are blue, green, red.
        :param out: write into these arrays, contiguous and of any size, and return them; by default new ones
            of the image's size. Whether they have a probability decides in place of ``probability``.
        :raises ValueError: if the image is not of that type and shape.
        :raises EngineError: if the run fails, e.g. for want of GPU memory.
        """
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
            raise ValueError(f"the image must be uint8 [H, W, 3], not {image.dtype} {list(image.shape)}")
        if out is None:
            out = Prediction.empty(image.shape[:2], probability)
        size = image.shape[:2] if self.dynamic else self.size
        _check_arrays(out)
        direct = out.mask.shape == size
        found = out if direct else Prediction.empty(size, out.probability is not None)
        self._run_into(found, _resize_image(image, size), bgr)
        if not direct:
            for target, source in zip(out.arrays().values(), found.arrays().values(), strict=True):
                cv2.resize(source, target.shape[::-1], dst=target, interpolation=cv2.INTER_NEAREST_EXACT)
        return out

    def _run_into(self, out: Prediction, image: NDArray[np.uint8], bgr: bool) -> None:
        """Run on an image of the network's size; write into the arrays."""
        if bgr and not self._binding.takes_bgr:
            image, bgr = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8), False
        try:
            self._binding.run(np.ascontiguousarray(image), bgr, out.arrays())
        except Exception as error:  # ONNX Runtime's exceptions share no narrower base
            raise self._failure(error) from error

    def _run(self, outputs: list[str], image: NDArray[np.uint8]) -> list[Any]:
        """Fetch any outputs for an RGB image of any size; they have the network's size."""
        size = image.shape[:2] if self.dynamic else self.size
        try:
            return list(self._session.run(outputs, {IMAGE: np.ascontiguousarray(_resize_image(image, size))}))
        except Exception as error:
            raise self._failure(error) from error

    def _failure(self, error: Exception) -> EngineError:
        return EngineError(f"{self._path}: running the network failed: {first_line(error)}")


def _name_of(provider: str) -> str:
    """Return the strict choice, such as ``cuda``, that starts an ONNX Runtime provider."""
    for name, wanted in PROVIDERS.items():
        if name != AUTO and wanted[0] == provider:
            return name
    raise ValueError(provider)


def _check_arrays(out: Prediction) -> None:
    """Refuse arrays that cannot be written to as they are: ONNX Runtime would write past them."""
    for name, array in out.arrays().items():
        dtype = OUTPUTS[name]
        if array.dtype != dtype or array.shape != out.mask.shape or array.ndim != 2 or not array.flags.carray:
            raise ValueError(f"{name} must be a writable, contiguous {np.dtype(dtype)} [H, W] like the mask")


def _resize_image(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Resize to (height, width), without aliasing when it shrinks."""
    if image.shape[:2] == size:
        return image
    shrinks = image.shape[0] >= size[0] and image.shape[1] >= size[1]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(image, size[::-1], interpolation=interpolation)  # type: ignore[return-value]


def read_card(file: OnnxFile) -> ModelCard | None:
    """Return the card of a file that is as it was written; None if there is none.

    :raises EngineError: for a card that cannot be used, or a damaged file.
    """
    text = file.text(METADATA_KEY)
    if text is None:
        return None
    try:
        card = ModelCard.from_json(text)
    except CardError as error:
        raise EngineError(f"{file.path}: {error}") from error
    check_digest(file, card)
    return card


def _check_contract(
    path: Path, session: ort.InferenceSession, card: ModelCard | None
) -> tuple[tuple[int, int], bool, ModelCard]:
    """Compare the file's tensors and card with the contract; raises EngineError.

    :return: height and width by the card, whether the file takes other sizes as well, and the card.
    """
    inputs = {tensor.name: tensor for tensor in session.get_inputs()}
    found = inputs | {tensor.name: tensor for tensor in session.get_outputs()}
    if list(inputs) != [IMAGE] or not found.keys() >= _TENSORS.keys():
        raise EngineError(
            f"{path}: not a kd_seg_ros model: its inputs are {list(inputs)} and its outputs "
            f"{[tensor.name for tensor in session.get_outputs()]}, not {[IMAGE]} and {list(OUTPUTS)}"
        )
    if card is None:
        raise EngineError(f"{path}: the file has no model card: write it with `kd_seg export`")
    size = (card.height, card.width)
    sides = found[IMAGE].shape[:2]
    dynamic = len(sides) == 2 and not any(isinstance(side, int) for side in sides)
    for name, (dtype, rank) in _TENSORS.items():
        tensor = found[name]
        shape = ["open" if isinstance(side, str) or side is None else side for side in tensor.shape]
        wanted = [*(("open", "open") if dynamic else size), *([3] if rank == 3 else [])]
        if tensor.type != dtype or shape != wanted:
            raise EngineError(
                f"{path}: tensor {name!r} is {tensor.type} {tensor.shape}; by its model card it must be "
                f"{dtype} {['height', 'width', *wanted[2:]] if dynamic else wanted}"
            )
    return size, dynamic, card
