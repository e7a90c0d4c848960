"""Suite ``training``: a distillation step of the engine next to a straightforward one, and its parts.

On a GPU the thesis' own pair, SwiftNet-FPN ResNet18 ← ConvNeXt-L at 864² with batch 8 in FP16; on a CPU small
versions of both in FP32. Images are noise and weights random: they change no time. Both steps have the same
objective (border-focal, KL and CWD on six maps) and must find the same loss before they are timed.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor

from distill.benchmarks.memory import peak_bytes
from distill.benchmarks.straight_step import straight_loss, straight_step
from distill.benchmarks.timing import median_seconds, torch_machine
from distill.benchmarks.training_setting import CPU, GPU, Setting, make_batch, make_network, regions
from distill.common.device import default_device
from distill.config import ObjectiveConfig
from distill.data.transforms import TrainTransform
from distill.datasets.frame import Sample
from distill.models.output import Output
from distill.training.feature_maps import feature_shapes
from distill.training.frozen_teacher import FrozenTeacher
from distill.training.objective import Objective
from distill.training.teacher_cache import TeacherCache, needed_maps
from kd_seg_ros.benchmark.result import Result, table

OBJECTIVE = ObjectiveConfig.model_validate({"logits": "kl", "features": [{"loss": "cwd"}]})


@dataclass(frozen=True)
class Parts:
    """Seconds of the parts of one step of the engine."""

    teacher: float
    """The teacher's forward pass."""
    student: float
    """The student's forward and backward pass, and the optimiser's step."""
    losses: float
    """Forward and backward pass of the losses, down to the student's outputs."""
    data: float
    """Augmenting one batch, in one process; workers do it while the network trains."""


@dataclass(frozen=True)
class Cache:
    """The teacher's outputs on disk (``--teacher.cache``)."""

    seconds: float
    """Time to read the outputs for one batch."""
    bytes_per_image: int
    """Size of the outputs for one image."""


class Step:
    """A student, its teacher, an optimiser and a batch."""

    def __init__(self, setting: Setting, device: torch.device) -> None:
        self.setting = setting
        self.device = device
        torch.manual_seed(0)
        self.student = make_network(setting.student, setting, device)
        teacher = make_network(setting.teacher, setting, device)
        self.student.to(memory_format=torch.channels_last).train()
        self.frozen_teacher = FrozenTeacher(teacher)
        self.frozen_teacher.prepare(device, "16-mixed" if setting.half else "32-true")
        size = (setting.size, setting.size)
        shapes = [feature_shapes(network, size) for network in (self.student, teacher)]
        self.objective = Objective(OBJECTIVE, *shapes)
        self.optimizer = torch.optim.Adam(self.student.parameters(), lr=1e-6)
        self.scaler = torch.amp.GradScaler(device.type, enabled=setting.half)
        self.batch = make_batch(setting, device)
        self.batch["image"] = self.batch["image"].contiguous(memory_format=torch.channels_last)

    def outputs(self) -> tuple[Output, Output]:
        """Return the outputs of student and teacher for the batch."""
        taught = self.frozen_teacher(self.batch)
        with torch.autocast(self.device.type, torch.float16, enabled=self.setting.half):
            return self.student(self.batch["image"]), taught

    def loss(self) -> Tensor:
        """Return the loss of the batch, with its graph."""
        student, teacher = self.outputs()
        return self.objective(self.batch, student, teacher)[0]

    def __call__(self) -> Tensor:
        """Take one step, as Lightning does with these settings."""
        loss = self.loss()
        self.optimizer.zero_grad()
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss.detach()

    def parts(self) -> Parts:
        """Time the parts of one step."""
        teacher, taught = self._timed(partial(self.frozen_teacher, self.batch))
        with torch.autocast(self.device.type, torch.float16, enabled=self.setting.half):
            student, forward = self._timed(partial(self.student, self.batch["image"]))

        # The losses alone: their gradients end at copies of the student's outputs.
        ends = _leaves(student)
        _, losses = self._timed(partial(self._backward_to, ends, teacher))

        # The student alone: its backward pass starts from those gradients.
        outputs, gradients = [], []
        for output, end in zip(_tensors(student), _tensors(ends), strict=True):
            if end.grad is not None:
                outputs.append(output)
                gradients.append(end.grad)
        _, backward = self._timed(partial(torch.autograd.backward, outputs, gradients))
        _, update = self._timed(self.optimizer.step)
        self.optimizer.zero_grad()
        return Parts(taught, forward + backward + update, losses, self._data_seconds())

    def _backward_to(self, ends: Output, teacher: Output) -> None:
        """Run the losses and their backward pass down to ``ends``, outputs of the student without a graph."""
        self.objective(self.batch, ends, teacher)[0].backward()

    def _timed(self, run: Callable[[], Any]) -> tuple[Any, float]:
        """Return what ``run`` returns, and its seconds with all work it started on the device."""
        _wait(self.device)
        start = time.perf_counter()
        result = run()
        _wait(self.device)
        return result, time.perf_counter() - start

    def cache(self) -> Cache:
        """Time reading the teacher's outputs from disk, and measure their size."""
        with tempfile.TemporaryDirectory() as folder:
            cached_teacher = FrozenTeacher(
                self.frozen_teacher.teacher, TeacherCache(Path(folder), needed_maps(OBJECTIVE))
            )
            named = {**self.batch, "path": [f"{number}.png" for number in range(self.setting.batch)]}
            seconds = median_seconds([_waiting(partial(cached_teacher, named), self.device)], 1)[0]
            size = sum(file.stat().st_size for file in Path(folder).iterdir())
        return Cache(seconds, size // self.setting.batch)

    def _data_seconds(self) -> float:
        side = round(self.setting.size / 0.8)
        transform = TrainTransform(crop=(side, side), mean=(0.5,) * 3, std=(0.2,) * 3)
        rng = np.random.default_rng(0)
        image = rng.integers(0, 256, (side, side * 16 // 9, 3), dtype=np.uint8)
        sample = Sample(image, regions(image.shape[0], image.shape[1], rng), "fog", Path("noise.png"))
        return self.setting.batch * median_seconds([partial(transform, sample, rng)], 1)[0]


def run(seconds: float, setting: Setting | None = None) -> Result:
    """Measure on the GPU if there is one, otherwise on the CPU.

    :param seconds: duration of the timed pair, at least.
    :param setting: what is trained; None: :data:`GPU` or :data:`CPU`.
    """
    device = default_device()
    setting = setting or (GPU if device.type == "cuda" else CPU)
    engine = Step(setting, device)
    check_same_loss(engine)
    steps = [_waiting(engine, device), _waiting(_straight(setting, device, engine.batch), device)]
    medians = median_seconds(steps, seconds)
    peaks = [peak_bytes(step, device) for step in steps]
    timed = [asdict(engine.parts()) for _ in range(5)]
    figures = {
        **asdict(setting),
        "cache": asdict(engine.cache()),
        "images_per_second": setting.batch / medians[0],
        "straight_images_per_second": setting.batch / medians[1],
        "peak_bytes": peaks[0],
        "straight_peak_bytes": peaks[1],
        "seconds": {name: _median_of(timed, name) for name in timed[0]},
    }
    return Result(f"{layout(figures)}\n\nMeasured on: {torch_machine()}.", [figures])


def _median_of(timed: list[dict[str, float]], name: str) -> float:
    return median(parts[name] for parts in timed)


def check_same_loss(step: Step) -> None:
    """Raise AssertionError unless both implementations find the same loss in the same outputs."""
    student, teacher = step.outputs()
    ours = step.objective(step.batch, student, teacher)[0]
    torch.testing.assert_close(ours, straight_loss(student, teacher, step.batch), rtol=1e-3, atol=1e-5)


def layout(figures: dict[str, Any]) -> str:
    """Lay out the figures as two Markdown tables: both implementations; the parts of the engine's step."""
    ours, straight = figures["images_per_second"], figures["straight_images_per_second"]
    memory, straight_memory = figures["peak_bytes"] / 1e9, figures["straight_peak_bytes"] / 1e9
    compared = [
        ["images/s", f"{ours:.2f}", f"{straight:.2f}", f"{ours / straight:.2f}×"],
        [
            "peak memory (GB)",
            f"{memory:.2f}",
            f"{straight_memory:.2f}",
            f"{memory / straight_memory:.2f}×",
        ],
    ]

    seconds, cached = figures["seconds"], figures["cache"]
    step = sum(value for name, value in seconds.items() if name != "data")
    parts = [
        [name, f"{1e3 * seconds[name]:.0f}", f"{100 * seconds[name] / step:.1f} %"]
        for name in ("teacher", "student", "losses")
    ]
    size = f"{cached['bytes_per_image'] / 1e6:.1f} MB per image"
    parts.append(["(teacher from `--teacher.cache`)", f"{1e3 * cached['seconds']:.0f}", size])
    share = f"{100 * seconds['data'] / step:.0f} % of a step, divided by the workers, at the same time"
    parts.append(["data of one batch, one process", f"{1e3 * seconds['data']:.0f}", share])

    precision = "FP16" if figures["half"] else "FP32"
    case = (
        f"SwiftNet-FPN {figures['student']} ← {figures['teacher']}, {figures['channels']} channels, "
        f"{figures['size']}², batch {figures['batch']}, {precision}:"
    )
    first = table(["", "engine", "straightforward", "ratio"], compared)
    second = table(["part of the engine's step", "ms", "share"], parts)
    return f"{case}\n\n{first}\n\n{second}"


def _straight(setting: Setting, device: torch.device, batch: dict[str, Tensor]) -> Callable[[], Tensor]:
    torch.manual_seed(0)
    student = make_network(setting.student, setting, device)
    teacher = make_network(setting.teacher, setting, device)
    optimizer = torch.optim.Adam(student.train().parameters(), lr=1e-6)
    plain = {name: tensor.contiguous() for name, tensor in batch.items()}
    return partial(straight_step, student, teacher, optimizer, plain, setting.half)


def _tensors(output: Output) -> list[Tensor]:
    return [output.logits, *output.features.values()]


def _leaves(output: Output) -> Output:
    """Cut the outputs off their graph, so that the losses' backward pass ends at them."""
    features = {name: values.detach().requires_grad_() for name, values in output.features.items()}
    return output._replace(logits=output.logits.detach().requires_grad_(), features=features)


def _waiting(step: Callable[[], object], device: torch.device) -> Callable[[], None]:
    """Return a function that takes a step and waits until the device has done it."""
    return partial(_step_and_wait, step, device)


def _step_and_wait(step: Callable[[], object], device: torch.device) -> None:
    step()
    _wait(device)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
