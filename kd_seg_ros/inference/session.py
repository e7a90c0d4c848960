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
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

from kd_seg_ros.common.allocator import keep_large_blocks
from kd_seg_ros.common.cores import own_cores
from kd_seg_ros.common.errors import first_line
from kd_seg_ros.common.onnx_runtime import ort
from kd_seg_ros.inference.contract import BATCH
from kd_seg_ros.inference.errors import EngineError, ProviderError
from kd_seg_ros.inference.memory_limit import limit_bytes, limited_memory, memory_was_refused, refusal
from kd_seg_ros.inference.onnx_file import OnnxFile
from kd_seg_ros.inference.provider_options import provider_options, unknown_option
from kd_seg_ros.inference.providers import AUTO, PROVIDERS
from kd_seg_ros.inference.settings import SessionSettings

__all__ = ["EngineError", "ProviderError", "SessionSettings", "open_session"]

_FATAL: Final = 4
_WARNING: Final = 2
"""ONNX Runtime's severities of log lines; it prints warnings and worse unless told otherwise."""

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
        return _load_on_cpu(file, settings)
    if provider != AUTO:
        return _open_on_gpu(file, settings, check)
    try:
        return _open_on_gpu(file, replace(settings, provider="cuda"), check)
    except ProviderError as error:
        session = _load_on_cpu(file, settings)
        _log.warning("running on the CPU: %s", error.reason)
        return session


def _open_on_gpu(file: OnnxFile, settings: SessionSettings, check: Check) -> ort.InferenceSession:
    """Start a session on a GPU, see :func:`open_session`."""
    provider = settings.provider
    wanted = PROVIDERS[provider][0]
    if wanted not in ort.get_available_providers():
        raise ProviderError(
            f"provider {provider!r}: the installed ONNX Runtime {ort.__version__} is built without {wanted}",
            "install onnxruntime-gpu in place of onnxruntime, or choose provider 'cpu'",
        )
    complaint = _preload_cuda()
    asked, settings = settings.cuda_graph, settings.for_file(file)
    session, refusal = _try(file, settings, gpu_only=True)
    if session is None and asked is None and settings.cuda_graph and "graph capture" in refusal:
        _log.info("running without a CUDA graph: %s", refusal)
        settings = replace(settings, cuda_graph=False)
        session, refusal = _try(file, settings, gpu_only=True)
    if session is not None:
        return session
    # Whose fault is it? ONNX Runtime says the same of a provider that did not load and of one that
    # lacks a kernel, so look at the file first, then at the provider with the CPU to help it out.
    open_size = check(_load_on_cpu(file, settings))
    session, why = _try(file, settings, gpu_only=False)
    if session is not None and open_size:
        return session
    if session is not None:
        raise ProviderError(f"{file.path}: {wanted} cannot run every node of this file: {refusal}")
    raise ProviderError(
        f"provider {provider!r} did not start ({complaint or why})",
        f"{wanted} needs an NVIDIA driver and {_libraries(provider)}; "
        "without a GPU choose provider 'cpu' or 'auto'",
    )


def _try(
    file: OnnxFile, settings: SessionSettings, gpu_only: bool
) -> tuple[ort.InferenceSession | None, str]:
    """Start a session on the provider asked for; return None and the reason if it does not start."""
    try:
        with _silenced():
            session = _start_with_known_options(file, settings, gpu_only)
            if _fuses(settings) and session.get_providers()[0] == "CUDAExecutionProvider":
                session = _without_fusion_if_refused(session, file, settings, gpu_only)
    except Exception as error:  # ONNX Runtime's exceptions share no narrower base
        return None, first_line(error)
    found = session.get_providers()[0]
    if found != PROVIDERS[settings.provider][0]:
        return None, _missing_driver() or "its libraries could not be loaded"
    return session, ""


def _start_with_known_options(
    file: OnnxFile, settings: SessionSettings, gpu_only: bool
) -> ort.InferenceSession:
    """Start a session; an option that this ONNX Runtime is too old to know is left out, with a line."""
    while True:
        try:
            return _start(file.content, settings, file.sha256, gpu_only)
        except Exception as error:
            name = unknown_option(error, settings, file.sha256)
            if name is None:
                raise
            _log.info("ONNX Runtime %s does not know %s: left out", ort.__version__, name)
            settings = replace(settings, left_out=settings.left_out | {name})


def _fuses(settings: SessionSettings) -> bool:
    return settings.nhwc and settings.fuse_conv_bias


def _without_fusion_if_refused(
    session: ort.InferenceSession, file: OnnxFile, settings: SessionSettings, gpu_only: bool
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
        return _start_with_known_options(file, replace(settings, fuse_conv_bias=False), gpu_only)
    return session


def _run_on_zeros(session: ort.InferenceSession) -> None:
    """Run a session on inputs that are 0: one image, whose open sides get :data:`_OPEN_SIDE` pixels."""
    open_sides = {BATCH: 1}
    feeds = {}
    for tensor in session.get_inputs():
        shape = [side if isinstance(side, int) else open_sides.get(side, _OPEN_SIDE) for side in tensor.shape]
        feeds[tensor.name] = np.zeros(shape, _DTYPES.get(tensor.type, np.float32))
    options = ort.RunOptions()
    options.log_severity_level = _FATAL
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
    ort.set_default_logger_severity(_FATAL)
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


def _load_on_cpu(file: OnnxFile, settings: SessionSettings) -> ort.InferenceSession:
    """Start a session on the CPU; raises EngineError if the file is damaged."""
    settings = replace(settings, provider="cpu")
    limit, refused = limit_bytes(settings.memory_mb), False
    try:
        with limited_memory(limit):
            # A full or read-only disk costs the speed only; whatever else is wrong comes up again below.
            try:
                with TemporaryDirectory() as folder:
                    return _start(str(with_casts(file.content, Path(folder))), settings)
            except Exception as error:
                refused = memory_was_refused(error)
            return _start(file.content, settings)
    except Exception as error:
        if refused or memory_was_refused(error):
            raise EngineError(f"{file.path}: opening the network failed: {refusal(limit)}") from error
        raise EngineError(
            f"{file.path}: not a readable ONNX file (damaged, cut short or of another kind): "
            f"{first_line(error)}"
        ) from error


def with_casts(content: bytes, folder: Path) -> Path:
    """Write a file into ``folder``, with the conversions to single precision that the CPU's kernels need.

    ONNX Runtime inserts them around every node in half precision, but only after it has folded constants. So
    it does not see later that the bounds of a Clip are constant, leaves it apart from its Conv, and brings
    the maps between the two from one memory layout to another and back. In the copy it sees it.

    :raises Exception: ONNX Runtime's, if the file cannot be read or the copy not be written.
    """
    options = session_options()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(folder / "with_casts.onnx")
    ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return folder / "with_casts.onnx"


def session_options(threads: int = 0) -> ort.SessionOptions:
    """Return the options of every session.

    :param threads: how many threads compute; 0: one for each core that this process may use.
    """
    options = ort.SessionOptions()
    options.log_severity_level = _FATAL  # whatever is wrong comes as an exception as well
    # Left to itself ONNX Runtime starts a thread per core of the machine, each tied to its core, wherever
    # this process is pinned to. Threads of a number that was given inherit the process' cores.
    options.intra_op_num_threads = threads or own_cores()
    return options


def _start(
    model: bytes | str, settings: SessionSettings, sha256: str = "", gpu_only: bool = False
) -> ort.InferenceSession:
    """Create a session; with ``gpu_only``, refuse a file of which any node would run on the CPU."""
    options = session_options(settings.threads)
    # Otherwise the CPU provider's threads spin on after a run, on cores that decoding and publishing need.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    # What is constant is computed on the CPU, whatever the provider. Older releases ignore the entry.
    options.add_session_config_entry(
        "optimization.constant_folding_max_output_size_in_bytes", str(limit_bytes(settings.memory_mb))
    )
    if PROVIDERS[settings.provider][0] == "CPUExecutionProvider":
        # One block planned for all values of a run is larger than what the run ever holds at once: 960
        # against 578 MB for 19 classes at 1080×1920, in the same time.
        options.enable_mem_pattern = False
    if not settings.open_batch:
        options.add_free_dimension_override_by_name(BATCH, 1)
    if gpu_only:
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    providers = [(name, provider_options(name, settings, sha256)) for name in PROVIDERS[settings.provider]]
    # enable_fallback=0 closes the retry on the CPU here, disable_fallback() the one while running.
    session = ort.InferenceSession(model, options, providers=providers, enable_fallback=0)
    session.disable_fallback()
    return session


def _preload_cuda() -> str:
    """Load CUDA and cuDNN from pip's NVIDIA packages if present; return the first complaint, or nothing."""
    preload = getattr(ort, "preload_dlls", None)  # since ONNX Runtime 1.21
    if preload is None:
        return ""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        preload()
    return printed.getvalue().partition("\n")[0]


def _libraries(provider: str) -> str:
    """Name the libraries that a GPU provider needs, and the command that installs them."""
    tensorrt = ", TensorRT" if provider == "tensorrt" else ""
    return (
        f"CUDA {getattr(ort, 'cuda_version', '')} with cuDNN{tensorrt} "
        f"(pip install 'onnxruntime-gpu[cuda,cudnn]=={ort.__version__}')"
    )
