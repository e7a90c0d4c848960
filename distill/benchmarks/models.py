"""Suite ``models``: size, work and speed of every network of the catalogue, as one Markdown table.

What is timed is what the vehicle runs: one uint8 image in, class and confidence of every pixel out. Weights
are random: they change no time.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from distill.benchmarks.random_network import random_network
from distill.benchmarks.timing import median_seconds, torch_machine
from distill.export.model_card import save_with_card
from distill.export.trace import padding_multiple, to_onnx
from distill.models.catalogue import CAMERA_SIZE, FAMILIES, MODELS, check_name
from distill.models.complexity import complexity
from distill.models.deployed import DeployedModel
from kd_seg_ros import __version__
from kd_seg_ros.benchmark.bare_run import random_image
from kd_seg_ros.benchmark.result import Result, table
from kd_seg_ros.common.classes import CLASS_NAMES, IGNORE_ID, PALETTE
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.logs import progress_shown
from kd_seg_ros.common.onnx_runtime import ort
from kd_seg_ros.inference.card import ModelCard
from kd_seg_ros.inference.engine import Engine

CPU_SIZE = (540, 960)
MEAN = STD = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class Speed:
    """Size and times of one network.

    On the CPU in FP32 at 540×960, in milliseconds per image; on the GPU at 1080×1920 with batch 1, in images
    per second, None where there is no GPU.
    """

    file_mb: float
    """Size of the file exported in FP16 for 1080×1920, in 10⁶ bytes."""
    cpu_onnx_ms: float
    """ONNX Runtime on the CPU."""
    cpu_torch_ms: float
    """PyTorch on the CPU."""
    gpu_onnx_fp16_fps: float | None = None
    """ONNX Runtime on the GPU, FP16."""
    gpu_onnx_fp32_fps: float | None = None
    """ONNX Runtime on the GPU, FP32."""
    gpu_torch_fp16_fps: float | None = None
    """PyTorch on the GPU, FP16."""
    gpu_torch_fp32_fps: float | None = None
    """PyTorch on the GPU, FP32."""


def run(seconds: float, names: Sequence[str] = ()) -> Result:
    """Measure networks of the catalogue.

    :param seconds: duration of each timed pair, at least.
    :param names: which networks; none: all.
    :raises UserError: for a name that is not in the catalogue.
    """
    for name in names:
        check_name(name)
        if name in FAMILIES:
            first = next(model for model in MODELS if model.startswith(name))
            raise UserError(f"{name!r} alone names no network; did you mean {first!r}?")
    bar = tqdm(names or MODELS, "benchmark", unit="model", disable=not progress_shown())
    figures = []
    for name in bar:
        bar.set_postfix_str(name)
        model = MODELS[name]
        figures.append(
            {
                "name": name,
                "parameters": model.parameters,
                **asdict(complexity(name)),
                **asdict(measure(name, seconds)),
                "thesis_fps": model.thesis.fps if model.thesis else None,
            }
        )
    return Result(f"{layout(figures)}\n\nMeasured on: {torch_machine()}.", figures)


def measure(name: str, seconds: float) -> Speed:
    """Time one network on the CPU and, where there is one, on the GPU."""
    model = DeployedModel(random_network(name), MEAN, STD, working_scale=1.0).eval()
    with tempfile.TemporaryDirectory() as folder:
        half = export(model, CAMERA_SIZE, Path(folder) / "half.onnx", half=True)
        engine = Engine(export(model, CPU_SIZE, Path(folder) / "cpu.onnx", half=False), "cpu")
        image = random_image(CPU_SIZE)
        onnx, eager = median_seconds(
            [partial(engine.segment, image), partial(_eager, model, torch.from_numpy(image))], seconds
        )
        times = {"cpu_onnx_ms": 1e3 * onnx, "cpu_torch_ms": 1e3 * eager}
        if torch.cuda.is_available():
            times |= _measure_gpu(model, half, Path(folder), seconds)
        return Speed(file_mb=half.stat().st_size / 1e6, **times)


def _measure_gpu(model: DeployedModel, half: Path, folder: Path, seconds: float) -> dict[str, float]:
    """Frames per second on the GPU; ONNX Runtime's only where its CUDA provider is installed."""
    image = random_image(CAMERA_SIZE)
    runs: dict[str, Callable[[], object]] = {}
    if "CUDAExecutionProvider" in ort.get_available_providers():
        full = export(model, CAMERA_SIZE, folder / "full.onnx", half=False)
        runs["gpu_onnx_fp16_fps"] = partial(Engine(half, "cuda").segment, image)
        runs["gpu_onnx_fp32_fps"] = partial(Engine(full, "cuda").segment, image)
    on_gpu = torch.from_numpy(image).cuda()
    model = model.cuda().to(memory_format=torch.channels_last)
    runs["gpu_torch_fp32_fps"] = partial(_eager, model, on_gpu)
    times = dict(zip(runs, median_seconds(list(runs.values()), seconds), strict=True))
    model.network.half()
    times["gpu_torch_fp16_fps"] = median_seconds([partial(_eager, model, on_gpu)], seconds)[0]
    return {name: 1 / value for name, value in times.items()}


def export(model: DeployedModel, size: tuple[int, int], path: Path, half: bool, batch: bool = False) -> Path:
    """Write a model file for images of ``size``.

    :param batch: its network takes any number of images per run.
    """
    card = ModelCard(
        name="benchmark",
        class_names=CLASS_NAMES,
        palette=PALETTE,
        ignore_id=IGNORE_ID,
        height=size[0],
        width=size[1],
        working_scale=model.working_scale,
        mean=MEAN,
        std=STD,
        temperature=1.0,
        parameters=0,
        padding_multiple=padding_multiple(model),
        dataset="none: random weights",
        package_version=__version__,
        created="",
        config={},
        config_hash="",
    )
    save_with_card(to_onnx(model, size, half, batch=batch), card, path)
    return path


@torch.inference_mode()
def _eager(model: DeployedModel, image: torch.Tensor) -> torch.Tensor:
    mask = model(image)[0]
    return mask.cpu()  # waits for the GPU, and brings over what the vehicle needs


def layout(figures: list[dict[str, Any]]) -> str:
    """Lay out the figures as a Markdown table."""
    head = [
        "model",
        "parameters (M)",
        "GFLOPs",
        "file (MB)",
        "CPU, ONNX Runtime (ms)",
        "CPU, PyTorch (ms)",
        "GPU, ONNX Runtime FP16 / FP32 (FPS)",
        "GPU, PyTorch FP16 / FP32 (FPS)",
        "thesis (FPS)",
    ]
    rows = [
        [
            f"`{figure['name']}`",
            f"{figure['parameters'] / 1e6:.3f}",
            f"{figure['gflops']:.1f}",
            f"{figure['file_mb']:.1f}",
            f"{figure['cpu_onnx_ms']:.0f}",
            f"{figure['cpu_torch_ms']:.0f}",
            f"{_fps(figure['gpu_onnx_fp16_fps'])} / {_fps(figure['gpu_onnx_fp32_fps'])}",
            f"{_fps(figure['gpu_torch_fp16_fps'])} / {_fps(figure['gpu_torch_fp32_fps'])}",
            "" if figure["thesis_fps"] is None else f"{figure['thesis_fps']:g}",
        ]
        for figure in figures
    ]
    return table(head, rows)


def _fps(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"
