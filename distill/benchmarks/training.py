"""Suite ``training``: a distillation step of the engine beside a straightforward one, and its parts.

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
import numpy.typing as npt
import torch
from torch import Tensor

from distill.benchmarks.memory import peak_bytes
from distill.benchmarks.random_network import settle
from distill.benchmarks.straight_step import straight_loss, straight_step
from distill.benchmarks.timing import machine, median_seconds
from distill.common.device import default_device
from distill.config import ObjectiveConfig
from distill.data.border_weights import border_weights
from distill.data.transforms import TrainTransform
from distill.datasets.frame import Sample
from distill.models.build import build
from distill.models.network import SegmentationNetwork
from distill.models.output import Output
from distill.training.feature_maps import feature_shapes
from distill.training.frozen_teacher import FrozenTeacher
from distill.training.objective import Objective
from distill.training.teacher_cache import TeacherCache, needed_maps
from kd_seg_ros.common.classes import IGNORE_ID, NUM_CLASSES

OBJECTIVE = ObjectiveConfig.model_validate({"logits": "kl", "features": [{"loss": "cwd"}]})


@dataclass(frozen=True)
class Setting:
    """What is trained."""

    student: str
    """timm's name of the backbone, as ``teacher``'s."""
    teacher: str
    channels: int
    size: int
    """Height and width of the crops."""
    batch: int
    half: bool


GPU = Setting("resnet18", "convnext_large", 320, 864, 8, half=True)
CPU = Setting("resnet18", "convnext_atto", 64, 256, 2, half=False)


@dataclass(frozen=True)
class Parts:
    """Seconds of the parts of one step of the engine."""

    teacher: float
    student: float
    """Forward, backward and the optimiser's step."""
    losses: float
    """Forward and backward, down to the student's outputs."""
    data: float
    """Augmenting one batch, in one process; workers do it beside the training."""


@dataclass(frozen=True)
class Cache:
    """The teacher's outputs on disk (``--teacher.cache``)."""

    seconds: float
    """To read those of one batch."""
    bytes_per_image: int


class Step:
    """A student, its teacher, an optimiser and a batch."""

    def __init__(self, setting: Setting, device: torch.device) -> None:
        self.setting = setting
        self.device = device
        torch.manual_seed(0)
        self.student, teacher = (
            _network(name, setting, device) for name in (setting.student, setting.teacher)
        )
        self.student.to(memory_format=torch.channels_last).train()
        self.frozen_teacher = FrozenTeacher(teacher)
        self.frozen_teacher.prepare(device, "16-mixed" if setting.half else "32-true")
        size = (setting.size, setting.size)
        shapes = [feature_shapes(network, size) for network in (self.student, teacher)]
        self.objective = Objective(OBJECTIVE, *shapes)
        self.optimizer = torch.optim.Adam(self.student.parameters(), lr=1e-6)
        self.scaler = torch.amp.GradScaler(device.type, enabled=setting.half)
        self.batch = _batch(setting, device)
        self.batch["image"] = self.batch["image"].contiguous(memory_format=torch.channels_last)

    def outputs(self) -> tuple[Output, Output]:
        """Return the student's and the teacher's."""
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
        seconds = []

        def timed(run: Callable[[], Any]) -> Any:
            _wait(self.device)
            start = time.perf_counter()
            result = run()
            _wait(self.device)
            seconds.append(time.perf_counter() - start)
            return result

        teacher = timed(partial(self.frozen_teacher, self.batch))
        with torch.autocast(self.device.type, torch.float16, enabled=self.setting.half):
            student = timed(partial(self.student, self.batch["image"]))
        ends = _leaves(student)
        timed(lambda: self.objective(self.batch, ends, teacher)[0].backward())
        pairs = zip(_tensors(student), _tensors(ends), strict=True)
        outputs, gradients = zip(*((o, e.grad) for o, e in pairs if e.grad is not None), strict=True)
        timed(lambda: torch.autograd.backward(outputs, gradients))
        timed(self.optimizer.step)
        self.optimizer.zero_grad()
        taught, forward, losses, backward, update = seconds
        return Parts(taught, forward + backward + update, losses, self._data_seconds())

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
        sample = Sample(image, _regions(image.shape[0], image.shape[1], rng), "fog", Path("noise.png"))
        return self.setting.batch * median_seconds([lambda: transform(sample, rng)], 1)[0]


def run(budget: float, setting: Setting | None = None) -> tuple[str, list[dict[str, Any]]]:
    """Measure on the GPU if there is one; return the table with a line on the machine, and the figures.

    :param budget: seconds for the timed pair, at least.
    """
    device = default_device()
    setting = setting or (GPU if device.type == "cuda" else CPU)
    engine = Step(setting, device)
    check_same_loss(engine)
    steps = [_waiting(engine, device), _waiting(_straight(setting, device, engine.batch), device)]
    speeds = [setting.batch / seconds for seconds in median_seconds(steps, budget)]
    peaks = [peak_bytes(step, device) for step in steps]
    timed = [asdict(engine.parts()) for _ in range(5)]
    figures = {
        **asdict(setting),
        "cache": asdict(engine.cache()),
        "images_per_second": speeds[0],
        "straight_images_per_second": speeds[1],
        "peak_bytes": peaks[0],
        "straight_peak_bytes": peaks[1],
        "seconds": {name: median(parts[name] for parts in timed) for name in timed[0]},
    }
    return f"{table(figures)}\n\nMeasured on: {machine()}.", [figures]


def check_same_loss(step: Step) -> None:
    """Raise AssertionError unless both implementations find the same loss in the same outputs."""
    student, teacher = step.outputs()
    ours = step.objective(step.batch, student, teacher)[0]
    torch.testing.assert_close(ours, straight_loss(student, teacher, step.batch), rtol=1e-3, atol=1e-5)


def table(figures: dict[str, Any]) -> str:
    """Lay out the figures as Markdown."""
    ours, straight = figures["images_per_second"], figures["straight_images_per_second"]
    memory, straight_memory = figures["peak_bytes"] / 1e9, figures["straight_peak_bytes"] / 1e9
    seconds = figures["seconds"]
    step = sum(value for name, value in seconds.items() if name != "data")
    precision = "FP16" if figures["half"] else "FP32"
    lines = [
        f"SwiftNet-FPN {figures['student']} ← {figures['teacher']}, {figures['channels']} channels, "
        f"{figures['size']}², batch {figures['batch']}, {precision}:",
        "",
        "| | engine | straightforward | ratio |",
        "|---|---:|---:|---:|",
        f"| images/s | {ours:.2f} | {straight:.2f} | {ours / straight:.2f}× |",
        f"| peak memory (GB) | {memory:.2f} | {straight_memory:.2f} | {memory / straight_memory:.2f}× |",
        "",
        "| part of the engine's step | ms | share |",
        "|---|---:|---:|",
    ]
    for name in ("teacher", "student", "losses"):
        lines.append(f"| {name} | {1e3 * seconds[name]:.0f} | {100 * seconds[name] / step:.1f} % |")
    beside = f"{100 * seconds['data'] / step:.0f} % of a step, divided by the workers, beside it"
    cached = figures["cache"]
    size = f"{cached['bytes_per_image'] / 1e6:.1f} MB an image"
    lines.append(f"| (teacher from `--teacher.cache`) | {1e3 * cached['seconds']:.0f} | {size} |")
    lines.append(f"| data of one batch, one process | {1e3 * seconds['data']:.0f} | {beside} |")
    return "\n".join(lines)


def _network(backbone: str, setting: Setting, device: torch.device) -> SegmentationNetwork:
    network = build("swiftnet", NUM_CLASSES, backbone=backbone, channels=setting.channels)
    settle(network, torch.randn(2, 3, 128, 128))
    return network.to(device)


def _batch(setting: Setting, device: torch.device) -> dict[str, Tensor]:
    rng = np.random.default_rng(0)
    labels = np.stack([_regions(setting.size, setting.size, rng) for _ in range(setting.batch)])
    image = torch.randn(setting.batch, 3, setting.size, setting.size)
    batch = {
        "image": image,
        "labels": torch.from_numpy(labels.astype(np.int64)),
        "weights": torch.from_numpy(np.stack([border_weights(each) for each in labels])),
        "distil": torch.from_numpy(labels != IGNORE_ID),
    }
    return {name: tensor.to(device) for name, tensor in batch.items()}


def _regions(height: int, width: int, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Labels in squares of 32 pixels."""
    squares = rng.choice([*range(NUM_CLASSES), IGNORE_ID], (-(-height // 32), -(-width // 32)))
    return np.kron(squares, np.ones((32, 32)))[:height, :width].astype(np.uint8)


def _straight(setting: Setting, device: torch.device, batch: dict[str, Tensor]) -> Callable[[], Tensor]:
    torch.manual_seed(0)
    student, teacher = (_network(name, setting, device) for name in (setting.student, setting.teacher))
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
    def run() -> None:
        step()
        _wait(device)

    return run


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
