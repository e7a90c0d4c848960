"""Whether kernels of our own do the work before and after a network is decided when its file is opened.

They need CUDA, the packages of the extra ``[cuda]``, and a file that tells where its network begins and ends.
What is missing is said in one line of the log; then the file's own nodes do all, as with other providers.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from kd_seg_ros.common.errors import first_line
from kd_seg_ros.common.onnx_runtime import ort
from kd_seg_ros.inference.card import ModelCard
from kd_seg_ros.inference.errors import EngineError, ProviderError
from kd_seg_ros.inference.gpu.check import difference
from kd_seg_ros.inference.gpu.cuda_device import CudaDevice
from kd_seg_ros.inference.gpu.fused_binding import FusedBinding
from kd_seg_ros.inference.gpu.parameters import NotFusedError
from kd_seg_ros.inference.gpu.split_file import SplitFile
from kd_seg_ros.inference.onnx_file import OnnxFile
from kd_seg_ros.inference.providers import AUTO, PROVIDERS, on_processor
from kd_seg_ros.inference.session import open_session
from kd_seg_ros.inference.session_start import session_options
from kd_seg_ros.inference.settings import SessionSettings

_log = logging.getLogger(__name__)

PROVIDERS_WITH_KERNELS: Final = ("cuda", AUTO)
"""Providers that the kernels can run next to, by the names that a user gives."""
Check = Callable[["ort.InferenceSession"], tuple[tuple[int, int], bool, ModelCard]]
"""Compares a file with the contract; returns its size, whether it takes others, and its card; raises
EngineError."""


def open_fused(file: OnnxFile, settings: SessionSettings, check: Check) -> FusedBinding | None:
    """Open a file with kernels of our own around its network, or return None and say in the log why not.

    :raises EngineError: if the file is not one of ours.
    """
    if settings.provider in PROVIDERS and on_processor(settings.provider):
        return None  # asked for: nothing to say
    if settings.provider == AUTO and "CUDAExecutionProvider" not in ort.get_available_providers():
        return None  # ONNX Runtime is the build for the CPU, which open_session says
    try:
        if settings.provider not in PROVIDERS_WITH_KERNELS:
            raise NotFusedError(f"the kernels need provider 'cuda', not {settings.provider!r}")
        return _open(file, settings, check)
    except NotFusedError as error:
        _log.info("the file's own nodes do the work before and after the network: %s", error)
    return None


def _open(file: OnnxFile, settings: SessionSettings, check: Check) -> FusedBinding:
    """Open a file with kernels; raises NotFusedError, or EngineError if the file is not one of ours."""
    device = CudaDevice(settings.staged)
    try:
        split = SplitFile.of_file(file.content)
        card = check(describe(file))[2]
    except Exception:
        device.close()
        raise
    settings = replace(settings, provider="cuda", compute_stream=device.stream)
    try:
        return _checked(file, split, card, settings, device)
    except Exception as error:
        # What the failed calls still hold, such as a session in the device's stream, must go before that.
        traceback.clear_frames(error.__traceback__)
        device.close()
        if isinstance(error, NotFusedError):
            raise
        if isinstance(error, ProviderError):
            raise NotFusedError(error.reason) from error
        _log.warning("%s: the kernels for NVIDIA GPUs do not run: %s", file.path, first_line(error))
        raise NotFusedError("the kernels do not run") from error


def _checked(
    file: OnnxFile, split: SplitFile, card: ModelCard, settings: SessionSettings, device: CudaDevice
) -> FusedBinding:
    """Bind the network, with a CUDA graph if possible, and compare the kernels with the file's nodes."""
    if card.padding_multiple < 1:
        raise NotFusedError("its model card does not tell how images are padded: export the model again")
    network = replace(file, content=split.network)
    try:
        binding = _bind(network, card, settings, device)
    except (NotFusedError, EngineError):
        raise
    except Exception as error:
        # Only the first run shows whether a network can be recorded.
        if settings.cuda_graph is not None or file.open_size:
            raise
        _log.info("%s: running without a CUDA graph: %s", file.path, first_line(error))
        traceback.clear_frames(error.__traceback__)  # frees the device's memory
        binding = _bind(network, card, replace(settings, cuda_graph=False), device)
    if what := difference(binding, split, card):
        _log.warning("%s: the kernels for NVIDIA GPUs do not do what the file does: %s", file.path, what)
        raise NotFusedError("the kernels differ from them")
    return binding


def _bind(network: OnnxFile, card: ModelCard, settings: SessionSettings, device: CudaDevice) -> FusedBinding:
    session = open_session(network, settings, lambda _: network.open_size)
    binding = FusedBinding(device, session, card)
    binding.run_network()
    return binding


def describe(file: OnnxFile) -> ort.InferenceSession:
    """Open a file on the CPU only to ask for its tensors, without making it fast.

    :raises NotFusedError: if ONNX Runtime cannot read it.
    """
    options = session_options()
    options.log_severity_level = 4
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        return ort.InferenceSession(file.content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions share no narrower base
        raise NotFusedError(f"ONNX Runtime cannot read the file: {first_line(error)}") from error
