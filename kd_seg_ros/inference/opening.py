"""Opening a model file: compared with the contract, started on its provider, bound to memory."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from kd_seg_ros.common.errors import first_line
from kd_seg_ros.common.onnx_runtime import ort
from kd_seg_ros.inference.binding import DeviceBinding, HostBinding
from kd_seg_ros.inference.card import CardError, ModelCard
from kd_seg_ros.inference.contract import DOMAIN_DISTANCE, IMAGE, METADATA_KEY, OUTPUTS
from kd_seg_ros.inference.digest import check_digest
from kd_seg_ros.inference.errors import EngineError
from kd_seg_ros.inference.gpu.fused_binding import FusedBinding
from kd_seg_ros.inference.gpu.opening import open_fused
from kd_seg_ros.inference.onnx_file import OnnxFile, read_onnx_file
from kd_seg_ros.inference.providers import AUTO, PROVIDERS
from kd_seg_ros.inference.session import open_session
from kd_seg_ros.inference.settings import SessionSettings

if TYPE_CHECKING:
    from kd_seg_ros.inference.batched_run import BatchedRun

_TYPE_NAMES: Final = {np.uint8: "tensor(uint8)", np.float32: "tensor(float)"}
"""What ONNX Runtime calls NumPy's types."""
_TENSORS: Final = {
    IMAGE: (_TYPE_NAMES[np.uint8], 3),
    **{name: (_TYPE_NAMES[dtype], 2) for name, dtype in OUTPUTS.items()},
}
"""ONNX Runtime's name of the type, and the number of dimensions, of each tensor a file must have."""
_CUDA: Final = "CUDAExecutionProvider"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class OpenedModel:
    """A model file that is ready to run."""

    card: ModelCard
    size: tuple[int, int]
    """Height and width by the card."""
    dynamic: bool
    """The file takes images of other sizes as well."""
    sha256: str
    provider: str
    """ONNX Runtime's name of the provider in use."""
    session: ort.InferenceSession | None
    """Of the whole file; None where the network has one of its own."""
    binding: HostBinding | DeviceBinding | FusedBinding | BatchedRun

    @property
    def strict_provider(self) -> str:
        """The strict choice, such as ``cuda``, that starts the provider in use again."""
        return provider_name(self.provider)


def provider_name(provider: str) -> str:
    """Return the strict choice, such as ``cuda``, that starts one of ONNX Runtime's providers."""
    for name, wanted in PROVIDERS.items():
        if name != AUTO and wanted[0] == provider:
            return name
    raise ValueError(provider)


def open_model(path: Path, settings: SessionSettings, kernels: bool) -> OpenedModel:
    """Open a model file.

    :param kernels: let kernels of our own do the work around the network, where that is possible.
    :raises EngineError: if the file is missing, damaged, not one of ours or without a model card, or if the
        provider does not start.
    """
    if settings.cuda_graph and settings.provider != "cuda":
        raise EngineError(f"a CUDA graph needs provider 'cuda', not {settings.provider!r}")
    file = read_onnx_file(path)
    card = read_card(file)
    check = partial(check_contract, path, card=card)
    if kernels:
        fused = open_fused(file, settings, check)
        if fused is not None:
            size = (fused.card.height, fused.card.width)
            return OpenedModel(fused.card, size, file.open_size, file.sha256, fused.provider, None, fused)
    session = open_session(file, settings, lambda found: check(found)[1])
    size, dynamic, card = check(session)
    if settings.cuda_graph and dynamic:
        raise EngineError(f"{path}: a CUDA graph needs a file of fixed size")
    binding = _bind(session, size)
    if settings.cuda_graph is None and isinstance(binding, DeviceBinding):
        try:
            binding.run(np.zeros((*size, 3), np.uint8), False, {})
        except Exception as error:
            _log.warning("%s: running without a CUDA graph: %s", path, first_line(error))
            del session, binding  # frees the device's memory before it is asked for again
            return open_model(path, replace(settings, cuda_graph=False), kernels=False)
    provider = session.get_providers()[0]
    return OpenedModel(card, size, dynamic, file.sha256, provider, session, binding)


def _bind(session: ort.InferenceSession, size: tuple[int, int]) -> HostBinding | DeviceBinding:
    """Bind a session to memory: to fixed buffers on the GPU if it records its work there."""
    options = session.get_provider_options().get(_CUDA, {})
    if session.get_providers()[0] == _CUDA and str(options.get("enable_cuda_graph", 0)) == "1":
        return DeviceBinding(session, size)
    return HostBinding(session)


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


def check_contract(
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
    _check_distance(path, found.get(DOMAIN_DISTANCE), card)
    return size, dynamic, card


def _check_distance(path: Path, tensor: ort.NodeArg | None, card: ModelCard) -> None:
    """Refuse a domain distance that is no single number, or that the card speaks of and the file has not."""
    if tensor is None:
        if card.domain:
            raise EngineError(
                f"{path}: by its model card it has an output {DOMAIN_DISTANCE!r}, but it has none"
            )
    elif tensor.type != _TYPE_NAMES[np.float32] or tensor.shape != [1]:
        raise EngineError(
            f"{path}: tensor {DOMAIN_DISTANCE!r} is {tensor.type} {tensor.shape}, not "
            f"{_TYPE_NAMES[np.float32]} [1]"
        )
