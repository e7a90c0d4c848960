"""Whether kernels of our own do the work before and after a network is decided when its file is opened.

They need CUDA, the packages of the extra ``[cuda]``, and a file that tells where its network begins and ends.
What is missing is said in one line of the log; then the file's own nodes do all, as with other providers.
"""

from __future__ import annotations

import logging
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
from kd_seg_ros.inference.providers import AUTO
from kd_seg_ros.inference.session import open_session
from kd_seg_ros.inference.settings import SessionSettings

_log = logging.getLogger(__name__)

PROVIDERS_WITH_KERNELS: Final = ("cuda", AUTO)
Check = Callable[[ort.InferenceSession], ModelCard]
"""Compares a file with the contract and returns its card; raises EngineError."""


def open_fused(file: OnnxFile, settings: SessionSettings, check: Check) -> FusedBinding | None:
    """Open a file with kernels of our own around its network, or return None and say in the log why not.

    :param settings: of the whole file; ``cuda_graph`` is decided.
    :raises EngineError: if the file is not one of ours.
    """
    try:
        if settings.provider not in PROVIDERS_WITH_KERNELS:
            raise NotFusedError(f"the kernels need provider 'cuda', not {settings.provider!r}")
        return _open(file, settings, check)
    except NotFusedError as error:
        _log.info("the file's own nodes do the work before and after the network: %s", error)
    return None


def _open(file: OnnxFile, settings: SessionSettings, check: Check) -> FusedBinding:
    """Open a file with kernels, and compare them with the file's nodes; raises NotFusedError."""
    device = CudaDevice(settings.staged)
    binding = None
    try:
        split = SplitFile.of_file(file.content)
        card = check(_describe(file))
        if card.padding_multiple < 1:
            raise NotFusedError("its model card does not tell how images are padded: export the model again")
        settings = replace(settings, provider="cuda", compute_stream=device.stream)
        network = replace(file, content=split.network)
        session = open_session(network, settings, lambda _: file.open_size)
        binding = FusedBinding(device, session, card)
        if what := difference(binding, split, card):
            _log.warning("%s: the kernels for NVIDIA GPUs do not do what the file does: %s", file.path, what)
            raise NotFusedError("the kernels differ from them")
        return binding
    except Exception as error:
        (binding or device).close()
        if isinstance(error, ProviderError):
            raise NotFusedError(error.reason) from error
        if isinstance(error, (NotFusedError, EngineError)):
            raise
        _log.warning("%s: the kernels for NVIDIA GPUs do not run: %s", file.path, first_line(error))
        raise NotFusedError("the kernels do not run") from error


def _describe(file: OnnxFile) -> ort.InferenceSession:
    """Open a file on the CPU only to ask for its tensors, without making it fast."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        return ort.InferenceSession(file.content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions share no narrower base
        raise NotFusedError(f"ONNX Runtime cannot read the file: {first_line(error)}") from error
