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
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import onnxruntime as ort

from kd_seg_ros.common.errors import UserError, first_line
from kd_seg_ros.inference.providers import AUTO, PROVIDERS

_FATAL: Final = 4
_ERROR: Final = 3
_WARNING: Final = 2
"""ONNX Runtime's severities of log lines; it prints warnings and worse unless told otherwise."""

_log = logging.getLogger(__name__)


class EngineError(UserError):
    """A model that cannot be opened or run as asked."""


class ProviderError(EngineError):
    """A provider that does not start, or cannot run a file that is all right."""

    def __init__(self, reason: str, remedy: str = "") -> None:
        """Say what is wrong, and what the user can do about it."""
        super().__init__(f"{reason}: {remedy}" if remedy else reason)
        self.reason = reason


@dataclass(frozen=True)
class SessionSettings:
    """How a network is run."""

    provider: str = "cuda"
    """A key of :data:`~kd_seg_ros.inference.providers.PROVIDERS`."""
    cuda_graph: bool = False
    """On CUDA, record the kernels of one frame and replay them: no launch costs, files of fixed size only."""
    nhwc: bool = False
    """On CUDA, keep feature maps with the channels last, the layout of tensor cores."""


def open_session(
    path: Path, settings: SessionSettings, check: Callable[[ort.InferenceSession], bool]
) -> ort.InferenceSession:
    """Start a session on the provider asked for, and on no other.

    One exception: what a file of open size computes of its image's size, a few numbers, may stay on the CPU.

    :param check: returns whether a file is of open size; raises EngineError if it is not one of ours.
    :raises ProviderError: if the provider does not start or cannot run the file; never for ``auto``.
    :raises EngineError: if the file is missing or damaged, or the provider is unknown.
    """
    provider = settings.provider
    if provider not in PROVIDERS:
        raise EngineError(f"unknown provider {provider!r}: choose one of {', '.join(PROVIDERS)}")
    if not path.is_file():
        raise EngineError(f"{path}: {'this is not a file' if path.exists() else 'no such model file'}")
    if provider == "cpu":
        return _load_on_cpu(path)
    if provider != AUTO:
        return _open_on_gpu(path, settings, check)
    try:
        return _open_on_gpu(path, replace(settings, provider="cuda"), check)
    except ProviderError as error:
        session = _load_on_cpu(path)
        _log.warning("running on the CPU: %s", error.reason)
        return session


def _open_on_gpu(
    path: Path, settings: SessionSettings, check: Callable[[ort.InferenceSession], bool]
) -> ort.InferenceSession:
    """Start a session on a GPU, see :func:`open_session`."""
    provider = settings.provider
    wanted = PROVIDERS[provider][0]
    if wanted not in ort.get_available_providers():
        raise ProviderError(
            f"provider {provider!r}: the installed ONNX Runtime {ort.__version__} is built without {wanted}",
            "install onnxruntime-gpu in place of onnxruntime, or choose provider 'cpu'",
        )
    complaint = _preload_cuda()
    session, refusal = _try(path, settings, gpu_only=True)
    if session is not None:
        return session
    # Whose fault is it? ONNX Runtime says the same of a provider that did not load and of one that
    # lacks a kernel, so look at the file first, then at the provider with the CPU to help it out.
    open_size = check(_load_on_cpu(path))
    session, why = _try(path, settings, gpu_only=False)
    if session is not None and open_size:
        return session
    if session is not None:
        raise ProviderError(f"{path}: {wanted} cannot run every node of this file: {refusal}")
    raise ProviderError(
        f"provider {provider!r} did not start ({complaint or why})",
        f"{wanted} needs an NVIDIA driver and {_libraries(provider)}; "
        "without a GPU choose provider 'cpu' or 'auto'",
    )


def _try(path: Path, settings: SessionSettings, gpu_only: bool) -> tuple[ort.InferenceSession | None, str]:
    """Start a session on the provider asked for; return None and the reason if it does not start."""
    try:
        with _silenced():
            session = _start(path, settings, gpu_only)
    except Exception as error:  # ONNX Runtime's exceptions share no narrower base
        return None, first_line(error)
    found = session.get_providers()[0]
    if found != PROVIDERS[settings.provider][0]:
        return None, _missing_driver() or "its libraries could not be loaded"
    return session, ""


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


def _load_on_cpu(path: Path) -> ort.InferenceSession:
    """Start a session on the CPU; raises EngineError if the file is damaged."""
    try:
        # A full or read-only disk costs the speed only; whatever else is wrong comes up again below.
        with contextlib.suppress(Exception), TemporaryDirectory() as folder:
            return _start(with_casts(path, Path(folder)), SessionSettings("cpu"))
        return _start(path, SessionSettings("cpu"))
    except Exception as error:
        raise EngineError(
            f"{path}: not a readable ONNX file (damaged, cut short or of another kind): {first_line(error)}"
        ) from error


def with_casts(path: Path, folder: Path) -> Path:
    """Copy a file into ``folder``, with the conversions to single precision that the CPU's kernels need.

    ONNX Runtime inserts them around every node in half precision, but only after it has folded constants. So
    it does not see later that the bounds of a Clip are constant, leaves it apart from its Conv, and brings
    the maps between the two from one memory layout to another and back. In the copy it sees it.

    :raises Exception: ONNX Runtime's, if the file cannot be read or the copy not be written.
    """
    options = _options()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(folder / "with_casts.onnx")
    ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return folder / "with_casts.onnx"


def _options() -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.log_severity_level = _ERROR
    return options


def _start(path: Path, settings: SessionSettings, gpu_only: bool = False) -> ort.InferenceSession:
    """Create a session; with ``gpu_only``, refuse a file of which any node would run on the CPU."""
    options = _options()
    # Otherwise the CPU provider's threads spin on after a run, on cores that decoding and publishing need.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    if PROVIDERS[settings.provider][0] != "CPUExecutionProvider":
        options.log_severity_level = _FATAL  # whatever is wrong comes as an exception as well
    if gpu_only:
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    providers = [(name, _provider_options(name, settings)) for name in PROVIDERS[settings.provider]]
    # enable_fallback=0 closes the retry on the CPU here, disable_fallback() the one while running.
    session = ort.InferenceSession(str(path), options, providers=providers, enable_fallback=0)
    session.disable_fallback()
    return session


def _provider_options(name: str, settings: SessionSettings) -> dict[str, Any]:
    if name == "CUDAExecutionProvider":
        # TF32 would round the logits' interpolation to 10 bits; the network itself is in half precision.
        return {
            "enable_cuda_graph": int(settings.cuda_graph),
            "prefer_nhwc": int(settings.nhwc),
            "use_tf32": 0,
        }
    if name == "CPUExecutionProvider":
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
