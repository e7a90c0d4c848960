"""A model file in ONNX Runtime: colour image in, class and confidence per pixel out. No ROS in here.

A file is compared with the contract when it is opened (:mod:`kd_seg_ros.inference.opening`).
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.common.errors import first_line
from kd_seg_ros.inference.accuracy import AccuracyEstimate, AccuracyEstimator
from kd_seg_ros.inference.binding import RunItem
from kd_seg_ros.inference.card import ModelCard
from kd_seg_ros.inference.class_ids import ClassIds
from kd_seg_ros.inference.contract import DOMAIN_DISTANCE, IMAGE, OUTPUTS
from kd_seg_ros.inference.errors import EngineError, reason_of
from kd_seg_ros.inference.gpu.fused_binding import FusedBinding
from kd_seg_ros.inference.memory_limit import limit_bytes, limited_memory, memory_was_refused, refusal
from kd_seg_ros.inference.opening import OpenedModel, open_model
from kd_seg_ros.inference.prediction import Prediction
from kd_seg_ros.inference.providers import AUTO, PROCESSOR_PROVIDERS
from kd_seg_ros.inference.settings import SessionSettings
from kd_seg_ros.inference.thresholds import MinConfidenceLevels, apply_min_confidence

__all__ = ["Engine", "EngineError", "Prediction", "SessionSettings"]


class Engine:
    """One model file, ready to run; one thread at a time, since each run already uses all of the device.

    Several threads need a :class:`~kd_seg_ros.inference.shared_engine.SharedEngine`.
    """

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
        cuda_graph: bool | None = None,
        nhwc: bool = True,
        threads: int = 0,
        memory_mb: int = 0,
        kernels: bool = True,
        staged: bool = False,
    ) -> None:
        """Open a model file.

        :param provider: ``cuda``, ``tensorrt``, ``openvino`` or ``cpu``: that one or an error. ``auto``:
            ``cuda`` if it starts, else ``cpu`` with a warning in the log.
        :param cuda_graph: record the GPU's work for one frame and replay it (``cuda``, a file of fixed size);
            None: wherever that is possible.
        :param nhwc: on CUDA, keep feature maps with the channels last and add biases inside convolutions.
        :param threads: threads that compute on the CPU; 0: one for each core that this process may use.
        :param memory_mb: memory that the network may take, 10⁶ bytes, on top of what the process has; beyond
            it opening or running fails. 0: on the CPU half of the machine's, on a GPU whatever it has.
        :param kernels: on CUDA, let kernels of our own do the work before and after the network, where that
            is possible (:mod:`kd_seg_ros.inference.gpu`); else the file's own nodes do it.
        :param staged: with them, copy images to page-locked memory first.
        :raises EngineError: if the file is missing, damaged, not one of ours or without a model card, or
            if the provider does not start.
        """
        self._path = Path(path)
        self._settings = SessionSettings(
            provider, cuda_graph, nhwc, threads=threads, memory_mb=memory_mb, staged=staged
        )
        self._memory_limit = limit_bytes(memory_mb)
        self._wants_kernels = kernels
        self._open()

    def _open(self) -> None:
        """Start the provider with the file; raises EngineError."""
        try:
            self._start()
        except (EngineError, ImportError):  # a package that is missing is no fault of the file
            raise
        except Exception as error:  # the file has gone, or no memory on a device
            raise EngineError(f"{self._path}: {first_line(error)}") from error

    def _start(self) -> None:
        model = self._open_file()
        if self._settings.provider == AUTO:
            # Chosen once: a GPU that is lost later is started again, not replaced by the CPU.
            self._settings = replace(self._settings, provider=model.strict_provider)
        self.card, self.size, self.dynamic = model.card, model.size, model.dynamic
        self.sha256, self.provider = model.sha256, model.provider
        self._session, self._binding = model.session, model.binding

    def _open_file(self) -> OpenedModel:
        return open_model(self._path, self._settings, self._wants_kernels)

    @property
    def kernels(self) -> FusedBinding | None:
        """What runs kernels of our own around the network; None where the file's own nodes do that work."""
        return self._binding if isinstance(self._binding, FusedBinding) else None

    def reopen(self) -> None:
        """Start the provider with the file again, after a run has failed.

        :raises EngineError: as on opening, or if the file has changed since.
        """
        before = self.sha256
        # Frees a device's memory before it is asked for again.
        binding = vars(self).pop("_binding", None)
        if isinstance(binding, FusedBinding):
            binding.close()
        vars(self).pop("_session", None)
        del binding
        self._open()
        if self.sha256 != before:
            raise EngineError(f"{self._path} has changed since it was opened")

    def warm_up(self) -> None:
        """Run once on noise: the first run allocates memory and chooses algorithms.

        :raises EngineError: if it fails, or if the mask holds class ids that the card does not name.
        """
        self.class_ids.strict = True
        try:
            with self._limited():  # the image, too: its size is the file's
                self.segment(np.random.default_rng(0).integers(0, 256, (*self.size, 3), dtype=np.uint8))
        finally:
            self.class_ids.strict = False

    @cached_property
    def class_ids(self) -> ClassIds:
        """What finds pixels of classes that the card does not name, and counts the masks that had some."""
        return ClassIds(self._path, self.card)

    @cached_property
    def _estimator(self) -> AccuracyEstimator | None:
        return AccuracyEstimator.of_card(self.card)

    def expected_accuracy(self, prediction: Prediction) -> AccuracyEstimate | None:
        """Estimate what share of a prediction's pixels is right; None if the card cannot tell.

        It is corrected by the domain distance where the card says how, and unknown for an image that is too
        strange for that; else it is raw, from the confidence alone.
        """
        if self._estimator is None:
            return None
        return self._estimator.estimate(prediction.confidence, prediction.domain_distance)

    def place(self) -> AbstractContextManager[None]:
        """Return what is held from taking an image to having its answer; nothing, where nobody else waits."""
        return nullcontext()

    def segment(
        self,
        image: NDArray[np.uint8],
        probability: bool = False,
        *,
        bgr: bool = False,
        out: Prediction | None = None,
        min_confidence: MinConfidenceLevels | None = None,
    ) -> Prediction:
        """Classify every pixel of a colour image, uint8 [H, W, 3].

        An image of another size than the file's is stretched to it (averaging over the covered area
        when it shrinks, bilinear when it grows) and the answer is brought back by nearest neighbour,
        so that a pixel's class, confidence and probability stay together. It is stretched, not padded, so
        a camera should have the aspect ratio of the training images. A file of open size takes the image as
        it is.

        :param probability: also fetch the unrounded probability.
        :param bgr: the image's channels are blue, green, red.
        :param out: write into these arrays, contiguous and of any size, and return them, with the image's
            domain distance where the file tells it; by default new ones of the image's size. Whether they
            have a probability decides in place of ``probability``.
        :param min_confidence: pixels whose confidence is below that of their class get the card's ignore id,
            see :mod:`kd_seg_ros.inference.thresholds`.
        :raises ValueError: if the image is not of that type and shape.
        :raises EngineError: if the run fails, e.g. for want of GPU memory.
        """
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
            raise ValueError(f"the image must be uint8 [H, W, 3], not {image.dtype} {list(image.shape)}")
        with self._limited():
            if out is None:
                out = Prediction.empty(image.shape[:2], probability)
            size = image.shape[:2] if self.dynamic else self.size
            _check_arrays(out)
            direct = out.mask.shape == size
            found = out if direct else Prediction.empty(size, out.probability is not None)
            distance = self._run_into(found, resize_image(image, size), bgr, min_confidence)
        if not direct:
            for target, source in zip(out.arrays().values(), found.arrays().values(), strict=True):
                cv2.resize(source, target.shape[::-1], dst=target, interpolation=cv2.INTER_NEAREST_EXACT)
        return out if distance is None else replace(out, domain_distance=distance)

    def _run_into(
        self,
        out: Prediction,
        image: NDArray[np.uint8],
        bgr: bool,
        levels: MinConfidenceLevels | None,
    ) -> float | None:
        """Run on an image of the network's size; write into the arrays, and return the domain distance."""
        binding, item = self._binding, self._item(out, image, bgr)
        try:
            if isinstance(binding, FusedBinding):  # whose masks hold the card's ids only
                binding.run(item.image, item.bgr, item.outputs, levels)
                return item.distance
            binding.run(item.image, item.bgr, item.outputs)
        except Exception as error:  # ONNX Runtime's exceptions share no narrower base
            raise self._failure(error) from error
        self._clean(out, levels)
        return item.distance

    def _item(self, out: Prediction, image: NDArray[np.uint8], bgr: bool) -> RunItem:
        """Return an image and the arrays of its answer as the binding takes them."""
        arrays = out.arrays()
        if self._binding.tells_distance:
            arrays[DOMAIN_DISTANCE] = np.empty(1, np.float32)
        if bgr and not self._binding.takes_bgr:
            image, bgr = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8), False
        return RunItem(np.ascontiguousarray(image), bgr, arrays)

    def _clean(self, out: Prediction, levels: MinConfidenceLevels | None) -> None:
        """Give the ignore id to pixels of ids that the card does not name, and to those of low confidence."""
        self.class_ids.clean(out.mask)  # before thresholds give many pixels an id beyond the classes
        if levels is not None:
            apply_min_confidence(out.mask, out.confidence, levels, self.card.ignore_id)

    def _run(self, outputs: list[str], image: NDArray[np.uint8]) -> list[Any]:
        """Fetch any outputs for an RGB image of any size; they have the network's size."""
        assert self._session is not None, "opened without kernels"
        size = image.shape[:2] if self.dynamic else self.size
        with self._limited():
            image = np.ascontiguousarray(resize_image(image, size))
            try:
                return list(self._session.run(outputs, {IMAGE: image}))
            except Exception as error:
                raise self._failure(error) from error

    @contextmanager
    def _limited(self) -> Iterator[None]:
        """Bound what the block takes on the CPU; raises EngineError where NumPy gets no memory in it.

        On a GPU the provider has a limit of its own, and CUDA's mappings are not counted here.
        """
        on_processor = self.provider in PROCESSOR_PROVIDERS
        try:
            with limited_memory(self._memory_limit) if on_processor else nullcontext():
                yield
        except MemoryError as error:
            raise self._failure(error) from error

    def _failure(self, error: Exception) -> EngineError:
        # The failed calls hold the session, whose memory must be free before it is opened again.
        traceback.clear_frames(error.__traceback__)
        refused = self.provider in PROCESSOR_PROVIDERS and memory_was_refused(error)
        reason = refusal(self._memory_limit) if refused else reason_of(error)
        return EngineError(f"{self._path}: running the network failed: {reason}")


def _check_arrays(out: Prediction) -> None:
    """Refuse arrays that cannot be written to as they are: ONNX Runtime would write past them."""
    for name, array in out.arrays().items():
        dtype = OUTPUTS[name]
        if array.dtype != dtype or array.shape != out.mask.shape or array.ndim != 2 or not array.flags.carray:
            raise ValueError(f"{name} must be a writable, contiguous {np.dtype(dtype)} [H, W] like the mask")


def resize_image(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Resize to (height, width), without aliasing when it shrinks."""
    if image.shape[:2] == size:
        return image
    shrinks = image.shape[0] >= size[0] and image.shape[1] >= size[1]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(image, size[::-1], interpolation=interpolation)  # type: ignore[return-value]
