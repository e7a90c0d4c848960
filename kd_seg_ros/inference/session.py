"""Opening a model file in ONNX Runtime on the provider asked for, and on no other.

Asking for a GPU either gets it or fails: ONNX Runtime would otherwise run on the CPU in three cases
with no more than a line on the terminal (the provider cannot be loaded; it refuses single nodes; it
fails while running), and each of them is closed in :func:`open_session`. Only who asks for ``auto`` gets the
CPU where the GPU does not start, with a warning that says why.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import logging
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, Final

import numpy as np

from kd_seg_ros.common.allocator import keep_large_blocks
from kd_seg_ros.common.errors import first_line
from kd_seg_ros.common.onnx_runtime import ort
from kd_seg_ros.inference.contract import BATCH
from kd_seg_ros.inference.errors import EngineError, ProviderError, reason_of
from kd_seg_ros.inference.memory_limit import limit_bytes, limited_memory, memory_was_refused
from kd_seg_ros.inference.onnx_file import OnnxFile
from kd_seg_ros.inference.provider_options import unknown_option
from kd_seg_ros.inference.providers import AUTO, PROVIDERS, on_processor
from kd_seg_ros.inference.session_start import FATAL, load_on_cpu, memory_refusal, start_session
from kd_seg_ros.inference.settings import SessionSettings

__all__ = ["EngineError", "ProviderError", "SessionSettings", "open_session"]

_WARNING: Final = 2
"""ONNX Runtime's severity of the log lines that it prints, and of worse ones, unless told otherwise."""

_log = logging.getLogger(__name__)

Check = Callable[["ort.InferenceSession"], bool]
"""Returns whether a file is of open size; raises EngineError if it is not one of ours."""


def open_session(file: OnnxFile, settings: SessionSettings, check: Check) -> ort.InferenceSession:
    """Start a session on the provider asked for, and on no other.

    One exception: what a file of open size computes of its image's size, a few numbers, may stay on the CPU.

    :raises ProviderError: if the provider does not start or cannot run the file; never for ``auto``.
    :raises EngineError: if ONNX Runtime cannot read the file, or the provider is unknown.
    """
    provider = settings.provider
    if provider not in PROVIDERS:
        raise EngineError(f"unknown provider {provider!r}: choose one of {', '.join(PROVIDERS)}")
    session = _open(file, settings, check)
    # Every image is a large block. Not before: what opening the file took for a moment goes to the kernel.
    keep_large_blocks()
    return session


def _open(file: OnnxFile, settings: SessionSettings, check: Check) -> ort.InferenceSession:
    """Start a session as :func:`open_session` does."""
    provider = settings.provider
    if provider == "cpu":
        return load_on_cpu(file, settings)
    if provider != AUTO:
        return _open_strictly(file, settings, check)
    try:
        return _open_strictly(file, replace(settings, provider="cuda"), check)
    except ProviderError as error:
        session = load_on_cpu(file, settings)
        _log.warning("running on the CPU: %s", error.reason)
        return session


def _open_strictly(file: OnnxFile, settings: SessionSettings, check: Check) -> ort.InferenceSession:
    """Start a session on a GPU or with OpenVINO, see :func:`open_session`."""
    provider = settings.provider
    wanted = PROVIDERS[provider][0]
    if wanted not in ort.get_available_providers():
        raise ProviderError(
            f"provider {provider!r}: the installed ONNX Runtime {ort.__version__} is built without {wanted}",
            f"install {_package(provider)} in place of onnxruntime, or choose provider 'cpu'",
        )
    complaint = "" if on_processor(provider) else _preload_cuda()
    asked, settings = settings.cuda_graph, settings.for_file(file)
    session, refusal = _try(file, settings, strict=True)
    if session is None and asked is None and settings.cuda_graph and "graph capture" in refusal:
        _log.info("running without a CUDA graph: %s", refusal)
        settings = replace(settings, cuda_graph=False)
        session, refusal = _try(file, settings, strict=True)
    if session is not None:
        return session
    # Whose fault is it? ONNX Runtime says the same of a provider that did not load and of one that
    # lacks a kernel, so look at the file first, then at the provider with the CPU to help it out.
    open_size = check(load_on_cpu(file, settings))
    session, why = _try(file, settings, strict=False)
    if session is not None and open_size:
        return session
    if session is not None:
        raise ProviderError(f"{file.path}: {wanted} cannot run every node of this file: {refusal}")
    raise ProviderError(f"provider {provider!r} did not start ({complaint or why})", _remedy(provider))


def _try(file: OnnxFile, settings: SessionSettings, strict: bool) -> tuple[ort.InferenceSession | None, str]:
    """Start a session on the provider asked for; return None and the reason if it does not start."""
    bounded, limit = on_processor(settings.provider), limit_bytes(settings.memory_mb)
    try:
        with _silenced(), limited_memory(limit) if bounded else nullcontext():
            session = _start_with_known_options(file, settings, strict)
            if _fuses(settings) and session.get_providers()[0] == "CUDAExecutionProvider":
                session = _without_fusion_if_refused(session, file, settings, strict)
    except Exception as error:  # ONNX Runtime's exceptions share no narrower base
        if bounded and memory_was_refused(error):
            raise memory_refusal(file, limit) from error
        return None, reason_of(error)
    found = session.get_providers()[0]
    if found != PROVIDERS[settings.provider][0]:
        driver = "" if on_processor(settings.provider) else _missing_driver()
        return None, driver or "its libraries could not be loaded"
    return session, ""


def _start_with_known_options(
    file: OnnxFile, settings: SessionSettings, strict: bool
) -> ort.InferenceSession:
    """Start a session; an option that this ONNX Runtime is too old to know is left out, with a line."""
    while True:
        try:
            return start_session(file.content, settings, file.sha256, strict)
        except Exception as error:
            name = unknown_option(error, settings, file.sha256)
            if name is None:
                raise
            _log.info("ONNX Runtime %s does not know %s: left out", ort.__version__, name)
            settings = replace(settings, left_out=settings.left_out | {name})


def _fuses(settings: SessionSettings) -> bool:
    return settings.nhwc and settings.fuse_conv_bias


def _without_fusion_if_refused(
    session: ort.InferenceSession, file: OnnxFile, settings: SessionSettings, strict: bool
) -> ort.InferenceSession:
    """Run once, and start again without ``fuse_conv_bias`` where cuDNN refuses: only a run tells."""
    try:
        _run_on_zeros(session)
    except Exception as error:
        if "cudnn" not in str(error).lower():
            raise
        _log.warning(
            "this GPU or version cannot add biases inside convolutions, running without fuse_conv_bias: %s",
            first_line(error),
        )
        return _start_with_known_options(file, replace(settings, fuse_conv_bias=False), strict)
    return session


def _run_on_zeros(session: ort.InferenceSession) -> None:
    """Run a session on inputs that are 0: one image, whose open sides get :data:`_OPEN_SIDE` pixels."""
    open_sides = {BATCH: 1}
    feeds = {}
    for tensor in session.get_inputs():
        shape = [side if isinstance(side, int) else open_sides.get(side, _OPEN_SIDE) for side in tensor.shape]
        feeds[tensor.name] = np.zeros(shape, _DTYPES.get(tensor.type, np.float32))
    options = ort.RunOptions()
    options.log_severity_level = FATAL
    options.add_run_config_entry("gpu_graph_id", "-1")  # no CUDA graph of this run: its buffers go away
    session.run(None, feeds, options)


_OPEN_SIDE: Final = 256
_DTYPES: Final[dict[str, Any]] = {
    "tensor(uint8)": np.uint8,
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
}


@contextlib.contextmanager
def _silenced() -> Iterator[None]:
    """Keep ONNX Runtime from printing, in several lines, what we are about to say in one."""
    ort.set_default_logger_severity(FATAL)
    try:
        yield
    finally:
        ort.set_default_logger_severity(_WARNING)  # ONNX Runtime's own choice; it cannot be asked


def _missing_driver() -> str:
    """Say that the driver's library is not there; empty if it is. ONNX Runtime tells that to its log only."""
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return "no NVIDIA driver: there is no libcuda.so.1"
    return ""


def _preload_cuda() -> str:
    """Load CUDA and cuDNN from pip's NVIDIA packages if present; return the first complaint, or nothing."""
    preload = getattr(ort, "preload_dlls", None)  # since ONNX Runtime 1.21
    if preload is None:
        return ""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        preload()
    return printed.getvalue().partition("\n")[0]


def _package(provider: str) -> str:
    """Name the build of ONNX Runtime that holds a provider."""
    return "onnxruntime-openvino" if on_processor(provider) else "onnxruntime-gpu"


def _remedy(provider: str) -> str:
    """Say what a provider needs that did not start, and the command that installs it."""
    wanted = PROVIDERS[provider][0]
    if on_processor(provider):
        again = f"pip install --force-reinstall {_package(provider)}=={ort.__version__}"
        return f"{wanted} needs the libraries of its package ({again}); without them choose provider 'cpu'"
    tensorrt = ", TensorRT" if provider == "tensorrt" else ""
    return (
        f"{wanted} needs an NVIDIA driver and CUDA {getattr(ort, 'cuda_version', '')} with cuDNN{tensorrt} "
        f"(pip install 'onnxruntime-gpu[cuda,cudnn]=={ort.__version__}'); "
        "without a GPU choose provider 'cpu' or 'auto'"
    )
