"""Starting sessions of ONNX Runtime: the options that all have, and those of the CPU."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from kd_seg_ros.common.cores import own_cores
from kd_seg_ros.common.errors import first_line
from kd_seg_ros.common.onnx_runtime import ort
from kd_seg_ros.inference.contract import BATCH
from kd_seg_ros.inference.errors import EngineError
from kd_seg_ros.inference.memory_limit import limit_bytes, limited_memory, memory_was_refused, refusal
from kd_seg_ros.inference.onnx_file import OnnxFile
from kd_seg_ros.inference.provider_options import provider_options
from kd_seg_ros.inference.providers import PROVIDERS
from kd_seg_ros.inference.settings import SessionSettings

FATAL: Final = 4
"""ONNX Runtime's severity of log lines of which there is none: it prints nothing."""


def session_options(threads: int = 0) -> ort.SessionOptions:
    """Return the options of every session.

    :param threads: how many threads compute; 0: one for each core that this process may use.
    """
    options = ort.SessionOptions()
    options.log_severity_level = FATAL  # whatever is wrong comes as an exception as well
    # Left to itself ONNX Runtime starts a thread per core of the machine, each tied to its core, wherever
    # this process is pinned to. Threads of a number that was given inherit the process' cores.
    options.intra_op_num_threads = threads or own_cores()
    return options


def start_session(
    model: bytes | str, settings: SessionSettings, sha256: str = "", strict: bool = False
) -> ort.InferenceSession:
    """Create a session; with ``strict``, refuse a file of which any node would run on the CPU provider."""
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
    if strict:
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    providers = [(name, provider_options(name, settings, sha256)) for name in PROVIDERS[settings.provider]]
    # enable_fallback=0 closes the retry on the CPU here, disable_fallback() the one while running.
    session = ort.InferenceSession(model, options, providers=providers, enable_fallback=0)
    session.disable_fallback()
    return session


def load_on_cpu(file: OnnxFile, settings: SessionSettings) -> ort.InferenceSession:
    """Start a session on the CPU; raises EngineError if the file is damaged."""
    settings = replace(settings, provider="cpu")
    limit, refused = limit_bytes(settings.memory_mb), False
    try:
        with limited_memory(limit):
            # A full or read-only disk costs the speed only; whatever else is wrong comes up again below.
            try:
                with TemporaryDirectory() as folder:
                    return start_session(str(with_casts(file.content, Path(folder))), settings)
            except Exception as error:
                refused = memory_was_refused(error)
            return start_session(file.content, settings)
    except Exception as error:
        if refused or memory_was_refused(error):
            raise memory_refusal(file, limit) from error
        raise EngineError(
            f"{file.path}: not a readable ONNX file (damaged, cut short or of another kind): "
            f"{first_line(error)}"
        ) from error


def memory_refusal(file: OnnxFile, limit: int) -> EngineError:
    """Return the error of a file that asks for more than ``limit`` bytes while it is opened."""
    return EngineError(f"{file.path}: opening the network failed: {refusal(limit)}")


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
