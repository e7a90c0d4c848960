"""Suite ``batches``: images of several cameras in one run of the network, or one after the other.

A batch pays where a network alone leaves the device idle; it costs latency, since its first image waits for
its last. Measured is the network alone, in PyTorch: in half precision on a GPU, else in FP32 on the CPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import torch
from torch import Tensor, nn

from distill.benchmarks.random_network import random_network
from distill.benchmarks.timing import median_seconds, torch_machine
from distill.models.catalogue import CAMERA_SIZE, FAMILIES, check_name
from kd_seg_ros.benchmark.result import Result, table
from kd_seg_ros.common.errors import UserError

NETWORKS: Final = ("swiftnet_resnet18", "pidnet_s", "fpn_lite_nano")
"""Networks that are measured unless others are given: a large one, a middle one and a small one."""
BATCHES: Final = (1, 2, 4)
"""Images per run of the network."""
CPU_SIZE: Final = (270, 480)
"""Height and width of the images on a CPU; on a GPU they have the camera's."""


def run(seconds: float, names: Sequence[str] = (), size: tuple[int, int] | None = None) -> Result:
    """Measure how long an image takes in batches of each size.

    :param seconds: duration of each network's timing, at least.
    :param names: networks of the catalogue; none: :data:`NETWORKS`.
    :param size: height and width of the images; None: as the device suggests.
    :raises UserError: for a name that is not in the catalogue.
    """
    on_gpu = torch.cuda.is_available()
    device, dtype = ("cuda", torch.float16) if on_gpu else ("cpu", torch.float32)
    height, width = size or (CAMERA_SIZE if on_gpu else CPU_SIZE)
    for name in names:
        check_name(name)
        if name in FAMILIES:
            raise UserError(
                f"{name!r} alone names no network: `kd_seg models` lists those that can be measured"
            )
    figures: list[dict[str, Any]] = []
    for name in names or NETWORKS:
        network = random_network(name).to(device, dtype)
        network.to(memory_format=torch.channels_last)
        runs = []
        for batch in BATCHES:
            images = torch.randn(batch, 3, height, width, device=device, dtype=dtype)
            runs.append(partial(_classes, network, images.contiguous(memory_format=torch.channels_last)))
        times = median_seconds(runs, seconds)
        per_image = {str(batch): 1e3 * time / batch for batch, time in zip(BATCHES, times, strict=True)}
        figures.append({"name": name, "size": [height, width], "ms_per_image": per_image})
    return Result(_text(figures, device), figures)


@torch.inference_mode()
def _classes(network: nn.Module, images: Tensor) -> Tensor:
    """Run the network; bring one number over, which waits for a GPU."""
    return network(images).logits.amax().cpu()


def _text(figures: list[dict[str, Any]], device: str) -> str:
    """Lay out the figures as a Markdown table."""
    height, width = figures[0]["size"]
    head = [f"ms per image of {width}×{height}", *(f"batch of {batch}" for batch in BATCHES), "gain"]
    rows = []
    for figure in figures:
        times = list(figure["ms_per_image"].values())
        gain = f"{100 * (1 - times[-1] / times[0]):.0f} %"
        rows.append([f"`{figure['name']}`", *(f"{time:.2f}" for time in times), gain])
    precision = "FP16" if device == "cuda" else "FP32"
    return (
        f"{table(head, rows)}\n\nThe network alone, PyTorch, {precision}, random weights; the gain is that "
        f"of the largest batch. Measured on: {torch_machine()}."
    )
