"""A model file in ONNX Runtime: RGB image in, class and confidence per pixel out. No ROS in here.

The contract of a model file, checked when it is opened:

=========== ============= ======= ==========================================================
tensor      shape         type    meaning
=========== ============= ======= ==========================================================
image       [H, W, 3]     uint8   RGB
mask        [H, W]        uint8   class id of the highest probability
confidence  [H, W]        uint8   round(255 · that probability), calibrated
probability [H, W]        float32 that probability; computed always, fetched on request only
=========== ============= ======= ==========================================================

Further outputs do no harm. The model card is there as JSON in the metadata (:mod:`kd_seg_ros.card`).

Asking for a GPU either gets it or fails: ONNX Runtime would otherwise run on the CPU in three cases
with no more than a line on the terminal (the provider cannot be loaded; it refuses single nodes; it
fails while running), and each of them is closed in :func:`_open`.
"""

from __future__ import annotations

import contextlib
import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from kd_seg_ros.card import METADATA_KEY, CardError, ModelCard
from kd_seg_ros.errors import UserError, first_line

PROVIDERS: Final[dict[str, tuple[str, ...]]] = {
    "cuda": ("CUDAExecutionProvider",),
    "tensorrt": ("TensorrtExecutionProvider", "CUDAExecutionProvider"),
    "cpu": ("CPUExecutionProvider",),
}
"""Names a user gives, and ONNX Runtime's in order of preference; the first one must really start."""

_TENSORS: Final = {
    "image": ("tensor(uint8)", 3),
    "mask": ("tensor(uint8)", 2),
    "confidence": ("tensor(uint8)", 2),
    "probability": ("tensor(float)", 2),
}


class EngineError(UserError):
    """A model that cannot be opened or run as asked."""


@dataclass(frozen=True)
class Prediction:
    """What the network says about one image, each map of the image's height and width."""

    mask: NDArray[np.uint8]
    """Class id."""
    confidence: NDArray[np.uint8]
    """round(255 · probability of that class)."""
    probability: NDArray[np.float32] | None = None
    """The same, 0…1 and unrounded; only on request."""


class Engine:
    """One model file, ready to run.

    :meth:`segment` keeps no state between calls, so it may be called from any thread; one worker
    at a time is what it is meant for, since each run already uses all of the device.
    """

    card: ModelCard
    provider: str
    """The ONNX Runtime provider in use, e.g. ``CUDAExecutionProvider``."""
    size: tuple[int, int]
    """Height and width the file was exported for."""

    def __init__(self, path: str | Path, provider: str = "cuda") -> None:
        """Open a model file.

        :param provider: ``cuda``, ``tensorrt`` or ``cpu``.
        :raises EngineError: if the file is missing, damaged, not one of ours or without a model card, or
            if the provider does not start.
        """
        self._path = Path(path)
        self._session = _open(self._path, provider)
        self.provider = self._session.get_providers()[0]
        self.size, self.card = _check_contract(self._path, self._session)

    def segment(self, image: NDArray[np.uint8], probability: bool = False) -> Prediction:
        """Classify every pixel of an RGB image, uint8 [H, W, 3].

        An image of another size than the file's is stretched to it (averaging over the covered area
        when it shrinks, bilinear when it grows) and the maps are brought back by nearest neighbour,
        so that a pixel's class, confidence and probability stay together. The network knows its own
        aspect ratio best.

        :param probability: also fetch the unrounded probability.
        :raises ValueError: if the image is not of that type and shape.
        :raises EngineError: if the run fails, e.g. for want of GPU memory.
        """
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
            raise ValueError(f"the image must be uint8 [H, W, 3], not {image.dtype} {list(image.shape)}")
        height, width = image.shape[:2]
        maps = self._run(["mask", "confidence", *(["probability"] if probability else [])], image)
        if (height, width) != self.size:
            maps = [cv2.resize(m, (width, height), interpolation=cv2.INTER_NEAREST_EXACT) for m in maps]
        return Prediction(*maps)

    def _run(self, outputs: list[str], image: NDArray[np.uint8]) -> list[Any]:
        """Run the network on an image of any size; the outputs have the file's."""
        feed = {"image": np.ascontiguousarray(_resize_image(image, self.size))}
        try:
            return list(self._session.run(outputs, feed))
        except Exception as error:  # ONNX Runtime's exceptions share no narrower base
            raise EngineError(f"{self._path}: running the network failed: {first_line(error)}") from error


def _resize_image(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Resize to (height, width), without aliasing when it shrinks."""
    if image.shape[:2] == size:
        return image
    shrinks = image.shape[0] >= size[0] and image.shape[1] >= size[1]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(image, size[::-1], interpolation=interpolation)  # type: ignore[return-value]


def _open(path: Path, provider: str) -> ort.InferenceSession:
    """Start a session on the provider asked for, and on no other."""
    if provider not in PROVIDERS:
        raise EngineError(f"unknown provider {provider!r}: choose one of {', '.join(PROVIDERS)}")
    if not path.is_file():
        raise EngineError(f"{path}: {'this is not a file' if path.exists() else 'no such model file'}")
    wanted = PROVIDERS[provider][0]
    if wanted not in ort.get_available_providers():
        raise EngineError(
            f"provider {provider!r}: the installed ONNX Runtime {ort.__version__} is built without "
            f"{wanted}: install onnxruntime-gpu in place of onnxruntime, or choose provider 'cpu'"
        )
    if provider == "cpu":
        return _load_on_cpu(path)

    complaint = _preload_cuda()
    try:
        session = _start(path, provider, gpu_only=True)
        if session.get_providers()[0] == wanted:
            return session
        refusal = f"{session.get_providers()[0]} was taken instead"
    except Exception as error:  # ONNX Runtime's exceptions share no narrower base
        refusal = first_line(error)

    # Whose fault is it? ONNX Runtime says the same of a provider that did not load and of one that
    # lacks a kernel, so look at the file first, then at the provider alone.
    _check_contract(path, _load_on_cpu(path))
    why = _why_not_started(path, provider)
    if why is None:
        raise EngineError(f"{path}: {wanted} cannot run every node of this file: {refusal}")
    raise EngineError(
        f"provider {provider!r} did not start ({complaint or why}): {wanted} needs an NVIDIA driver and "
        f"{_libraries(provider)}; without a GPU choose provider 'cpu'"
    )


def _load_on_cpu(path: Path) -> ort.InferenceSession:
    try:
        return _start(path, "cpu")
    except Exception as error:
        raise EngineError(
            f"{path}: not a readable ONNX file (damaged, cut short or of another kind): {first_line(error)}"
        ) from error


def _start(path: Path, provider: str, gpu_only: bool = False) -> ort.InferenceSession:
    """Create a session; with ``gpu_only``, refuse a file of which any node would run on the CPU."""
    options = ort.SessionOptions()
    options.log_severity_level = 3  # errors only
    if gpu_only:
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    providers = [(name, _provider_options(name)) for name in PROVIDERS[provider]]
    # enable_fallback=0 closes the retry on the CPU here, disable_fallback() the one while running.
    session = ort.InferenceSession(str(path), options, providers=providers, enable_fallback=0)
    session.disable_fallback()
    return session


def _why_not_started(path: Path, provider: str) -> str | None:
    """Why ``provider`` does not start even with the CPU to help out; None if it does start."""
    try:
        started = _start(path, provider).get_providers()[0]
    except Exception as error:
        return first_line(error)
    return None if started == PROVIDERS[provider][0] else "its libraries could not be loaded"


def _provider_options(name: str) -> dict[str, Any]:
    if name != "TensorrtExecutionProvider":
        return {}
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kd_seg_ros" / "tensorrt"
    cache.mkdir(parents=True, exist_ok=True)
    return {
        "trt_fp16_enable": True,  # the network is in half precision as exported
        "trt_engine_cache_enable": True,  # building the engine takes minutes, once per file and GPU
        "trt_engine_cache_path": str(cache),
        "trt_timing_cache_enable": True,
        "trt_timing_cache_path": str(cache),
    }


def _preload_cuda() -> str:
    """Load CUDA and cuDNN from pip's NVIDIA packages if present; return the first complaint, if any."""
    preload = getattr(ort, "preload_dlls", None)  # since ONNX Runtime 1.21
    if preload is None:
        return ""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        preload()
    return printed.getvalue().partition("\n")[0]


def _libraries(provider: str) -> str:
    """The libraries a GPU provider needs, and the command that installs them."""
    tensorrt = ", TensorRT" if provider == "tensorrt" else ""
    return (
        f"CUDA {getattr(ort, 'cuda_version', '')} with cuDNN{tensorrt} "
        f"(pip install 'onnxruntime-gpu[cuda,cudnn]=={ort.__version__}')"
    )


def _check_contract(path: Path, session: ort.InferenceSession) -> tuple[tuple[int, int], ModelCard]:
    """Compare the file's tensors and card with the contract; return its (height, width) and card."""
    inputs = {tensor.name: tensor for tensor in session.get_inputs()}
    found = inputs | {tensor.name: tensor for tensor in session.get_outputs()}
    if list(inputs) != ["image"] or not found.keys() >= _TENSORS.keys():
        raise EngineError(
            f"{path}: not a kd_seg_ros model: its inputs are {list(inputs)} and its outputs "
            f"{[tensor.name for tensor in session.get_outputs()]}, not ['image'] and {list(_TENSORS)[1:]}"
        )
    text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    if text is None:
        raise EngineError(f"{path}: the file has no model card: write it with `python -m distill export`")
    try:
        card = ModelCard.from_json(text)
    except CardError as error:
        raise EngineError(f"{path}: {error}") from error
    size = (card.height, card.width)
    for name, (dtype, rank) in _TENSORS.items():
        shape = [*size, 3] if rank == 3 else [*size]
        if found[name].type != dtype or list(found[name].shape) != shape:
            raise EngineError(
                f"{path}: tensor {name!r} is {found[name].type} {found[name].shape}; "
                f"by its model card it must be {dtype} {shape}"
            )
    return size, card
