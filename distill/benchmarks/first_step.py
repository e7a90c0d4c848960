"""Why the first training step of a network with depthwise convolutions takes 12 to 30 s on a GPU.

One student, SwiftNet without a teacher, takes a few steps in FP16: forward and backward pass. Each way to run
it differs from ``fit`` in one thing, and has a process of its own, because a cause may be what a process
loads or compiles once. What the first way and its repetition differ in is what stays on disk between two
processes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch

from distill.benchmarks.training_setting import Setting, make_network
from distill.common.device import default_device

ROOT: Final = Path(__file__).resolve().parents[2]
STEPS: Final = 4
GPU: Final = Setting("mobilenetv4_conv_medium", "none", 128, 352, 8, half=True)
"""The student that was measured to stand for 12 to 26 s; it has no teacher."""


@dataclass(frozen=True)
class Way:
    """One way to run the steps."""

    name: str
    channels_last: bool = True
    benchmark: bool = False
    """cuDNN times its kernels for every shape and takes the fastest."""
    cudnn: bool = True
    """False: PyTorch's own kernels run all convolutions."""
    half: bool = True
    environment: tuple[tuple[str, str], ...] = ()
    """Variables of the process and their values."""
    backbone: str = ""
    """timm's name; empty: that of the setting."""


WAYS: Final = (
    Way("as `fit` takes it"),
    Way("the same, in another process"),
    Way("with cudnn.benchmark", benchmark=True),
    Way("not channels_last", channels_last=False),
    Way("without cuDNN", cudnn=False),
    Way("in FP32", half=False),
    Way("with CUDA_MODULE_LOADING=EAGER", environment=(("CUDA_MODULE_LOADING", "EAGER"),)),
    Way("as `fit` takes it, ResNet18", backbone="resnet18"),
)


def seconds_of(way: Way, setting: Setting = GPU) -> list[float]:
    """Run the steps in this process; return the seconds of making the network and of each step."""
    device = default_device()
    half = way.half and setting.half
    layout = torch.channels_last if way.channels_last else torch.contiguous_format
    start = time.perf_counter()
    network = make_network(way.backbone or setting.student, setting, device).to(memory_format=layout).train()
    image = torch.randn(setting.batch, 3, setting.size, setting.size, device=device)
    image = image.contiguous(memory_format=layout)
    scaler = torch.amp.GradScaler(device.type, enabled=half)
    _wait(device)
    seconds = [time.perf_counter() - start]
    with torch.backends.cudnn.flags(enabled=way.cudnn, benchmark=way.benchmark):
        for _ in range(STEPS):
            start = time.perf_counter()
            with torch.autocast(device.type, torch.float16, enabled=half):
                loss = network(image).logits.float().square().mean()
            scaler.scale(loss).backward()
            network.zero_grad()
            _wait(device)
            seconds.append(time.perf_counter() - start)
    return seconds


def sentences(limit: float = 40.0) -> Iterator[str]:
    """Measure each way in a process of its own; yield a sentence about each as soon as it is measured.

    :param limit: seconds after which a process is ended; its sentence says so.
    """
    for number, way in enumerate(WAYS):
        code = (
            "import json; from distill.benchmarks import first_step as f; "
            f"print(json.dumps(f.seconds_of(f.WAYS[{number}])))"
        )
        environment = os.environ | {"PYTHONPATH": str(ROOT)} | dict(way.environment)
        try:
            done = subprocess.run(
                [sys.executable, "-c", code], capture_output=True, text=True, timeout=limit, env=environment
            )
        except subprocess.TimeoutExpired:
            yield f"{way.name}: not finished after {limit:.0f} s."
            continue
        if done.returncode:
            reason = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
            yield f"{way.name}: failed, {reason[-1]}."
            continue
        made, first, *later = json.loads(done.stdout.splitlines()[-1])
        yield f"{way.name}: {made:.1f} s to make it, first step {first:.2f} s, later ones {min(later):.3f} s."


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
