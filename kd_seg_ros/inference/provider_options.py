"""The options that ONNX Runtime's providers are started with, each with its reason.

The times are those of one frame of 1080×1920 on an NVIDIA H200 (onnxruntime-gpu 1.30.0, CUDA 13.0, cuDNN
9.19), the network alone: SwiftNet-ResNet18 and PIDNet-S, in this order.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from kd_seg_ros.common.cores import own_cores
from kd_seg_ros.inference.memory_limit import MEGABYTE
from kd_seg_ros.inference.providers import OPENVINO, PROVIDERS
from kd_seg_ros.inference.settings import SessionSettings

_CPU: Final = "CPUExecutionProvider"
_CUDA: Final = "CUDAExecutionProvider"


def provider_options(name: str, settings: SessionSettings, sha256: str) -> dict[str, Any]:
    """Return the options of one of ONNX Runtime's providers, without those that it does not know.

    :param name: ONNX Runtime's name of the provider.
    :param sha256: of the model file, hexadecimal.
    """
    if name == _CPU:
        return {}
    if name == OPENVINO:
        return _openvino(settings)
    options = _cuda(settings) if name == _CUDA else _tensorrt(sha256)
    return {key: value for key, value in options.items() if key not in settings.left_out}


def unknown_option(error: Exception, settings: SessionSettings, sha256: str) -> str | None:
    """Return which option an ONNX Runtime complains about not knowing; None if that is not what is wrong."""
    text = str(error)
    if "unknown provider option" not in text.lower():
        return None
    for name in PROVIDERS[settings.provider]:
        for option in provider_options(name, settings, sha256):
            if f'"{option}"' in text:
                return option
    return None


def _cuda(settings: SessionSettings) -> dict[str, Any]:
    # TF32 is left on, as ONNX Runtime has it: switched off, cuDNN drops every plan that uses tensor cores, in
    # half precision too (31.1 / 7.3 ms instead of 5.6 / 2.2). It rounds the factors of matrix products in
    # FP32, the interpolation of the logits, to 10 bits; the agreement that export measures guards that.
    options: dict[str, Any] = {
        "enable_cuda_graph": int(bool(settings.cuda_graph)),
        # Channels last is what tensor cores read: 5.55 / 2.10 ms instead of 5.57 / 2.19.
        "prefer_nhwc": int(settings.nhwc),
        # Takes the first algorithm that cuDNN's own model of the GPU proposes: 4.90 / 1.46 ms instead of
        # 5.03 / 1.59, and the first run does not try them all.
        "cudnn_conv_algo_search": "HEURISTIC",
    }
    if settings.nhwc and settings.fuse_conv_bias:
        # Spares 78 separate additions: 5.03 / 1.59 ms instead of 5.55 / 2.10. Without prefer_nhwc the first
        # run fails ("Failed to initialize CUDNN Frontend").
        options["fuse_conv_bias"] = 1
    if settings.memory_mb:
        options["gpu_mem_limit"] = str(settings.memory_mb * MEGABYTE)
    if settings.compute_stream:
        options["user_compute_stream"] = str(settings.compute_stream)
    return options


def _openvino(settings: SessionSettings) -> dict[str, Any]:
    # All its values are text. It takes the number of threads from here, not from the session's options. On
    # processors with instructions for bfloat16 OpenVINO would round every map to 8 bits of mantissa.
    return {
        "device_type": "CPU",
        "num_of_threads": str(settings.threads or own_cores()),
        "precision": "FP32",
    }


def _tensorrt(sha256: str) -> dict[str, Any]:
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kd_seg_ros" / "tensorrt"
    # TensorRT names an engine after the file's name and the graph, not after the weights: a network trained
    # again under the same name would run the old engine. So each file has a folder and a prefix of its own.
    engines = root / sha256
    engines.mkdir(parents=True, exist_ok=True)
    return {
        "trt_fp16_enable": True,  # the network is in half precision as exported
        "trt_engine_cache_enable": True,  # building the engine takes minutes, once per file and GPU
        "trt_engine_cache_path": str(engines),
        "trt_engine_cache_prefix": sha256,
        # Times of single layers, by their shapes: the same whatever the weights, so shared by all files.
        "trt_timing_cache_enable": True,
        "trt_timing_cache_path": str(root),
    }
