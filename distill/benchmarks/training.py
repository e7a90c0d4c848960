"""Suite ``training``: a distillation step of the engine next to a straightforward one, and its parts.

On a GPU the thesis' own pair, SwiftNet-FPN ResNet18 ← ConvNeXt-L at 864² with batch 8 in FP16; on a CPU small
versions of both in FP32. Images are noise and weights random: they change no time. Both steps have the same
objective (border-focal, KL and CWD on six maps) and must find the same loss before they are timed.
"""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch._dynamo.exc import TorchDynamoException

from distill.benchmarks.memory import peak_bytes
from distill.benchmarks.straight_step import straight_loss, straight_step
from distill.benchmarks.timing import median_seconds, torch_machine
from distill.benchmarks.training_figures import Cache, Parts, Stall
from distill.benchmarks.training_setting import CPU, GPU, Setting, make_batch, make_network, regions
from distill.benchmarks.training_tables import layout
from distill.checkpoints.background_io import BackgroundCheckpointIO
from distill.checkpoints.lightning_io import BEST, LAST, AtomicCheckpointIO
from distill.common.device import default_device
from distill.config import ObjectiveConfig
from distill.data.transforms import TrainTransform
from distill.datasets.frame import Sample
from distill.models.output import Output
from distill.training.feature_maps import feature_shapes
from distill.training.frozen_teacher import FrozenTeacher
from distill.training.objective import Objective
from distill.training.teacher_cache import TeacherCache, needed_maps
from kd_seg_ros.benchmark.result import Result
from kd_seg_ros.common.errors import first_line

OBJECTIVE = ObjectiveConfig.model_validate({"logits": "kl", "features": [{"loss": "cwd", "weight": 1.0}]})


class Step:
    """A student, its teacher, an optimiser and a batch.

    :param immediate: differentiate every term as soon as it is computed, as ``fit`` does.
    :param compiled: compile both networks, as ``--training.compile true`` does.
    """

    def __init__(
        self, setting: Setting, device: torch.device, *, immediate: bool = True, compiled: bool = False
    ) -> None:
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
        self.objective = Objective(OBJECTIVE, shapes[0], shapes[1], immediate=immediate)
        self.optimizer = torch.optim.Adam(self.student.parameters(), lr=1e-6, fused=True)
        if compiled:
            self.student.compile(dynamic=False)
            teacher.compile(dynamic=False)
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
        teacher, taught = self.timed(partial(self.frozen_teacher, self.batch))
        with torch.autocast(self.device.type, torch.float16, enabled=self.setting.half):
            student, forward = self.timed(partial(self.student, self.batch["image"]))

        # The losses alone: their gradients end at copies of the student's outputs.
        ends = _leaves(student)
        _, losses = self.timed(partial(self._backward_to, ends, teacher))

        # The student alone: its backward pass starts from those gradients.
        outputs, gradients = [], []
        for output, end in zip(_tensors(student), _tensors(ends), strict=True):
            if end.grad is not None:
                outputs.append(output)
                gradients.append(end.grad)
        _, backward = self.timed(partial(torch.autograd.backward, outputs, gradients))
        _, update = self.timed(self.optimizer.step)
        self.optimizer.zero_grad()
        return Parts(taught, forward + backward + update, losses, self._data_seconds())

    def _backward_to(self, ends: Output, teacher: Output) -> None:
        """Run the losses and their backward pass down to ``ends``, outputs of the student without a graph."""
        self.objective(self.batch, ends, teacher)[0].backward()

    def timed(self, run: Callable[[], Any]) -> tuple[Any, float]:
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
    cache = asdict(engine.cache())
    checkpoint = asdict(checkpoint_stall(engine))
    del engine, steps
    figures = {
        **asdict(setting),
        "cache": cache,
        "checkpoint": checkpoint,
        "variants": [variant(setting, device, *choices, seconds) for choices in _choices(device)],
        "images_per_second": setting.batch / medians[0],
        "straight_images_per_second": setting.batch / medians[1],
        "peak_bytes": peaks[0],
        "straight_peak_bytes": peaks[1],
        "seconds": {name: _median_of(timed, name) for name in timed[0]},
    }
    return Result(f"{layout(figures)}\n\nMeasured on: {torch_machine()}.", [figures])


def _choices(device: torch.device) -> list[tuple[bool, bool]]:
    """Return what is measured: terms differentiated as soon as computed or not, networks compiled or not.

    On a CPU the networks are not compiled: that would take minutes and say nothing about a GPU.
    """
    compiled = (False, True) if device.type == "cuda" else (False,)
    return list(itertools.product((True, False), compiled))


def checkpoint_stall(step: Step) -> Stall:
    """Time how long a checkpoint of student and optimiser stops training, written at once and by a thread."""
    state = {"state_dict": step.student.state_dict(), "optimizer_states": [step.optimizer.state_dict()]}
    background = BackgroundCheckpointIO()
    with tempfile.TemporaryDirectory() as folder:
        _, at_once = step.timed(partial(AtomicCheckpointIO().save_checkpoint, state, Path(folder) / BEST))
        size = (Path(folder) / BEST).stat().st_size
        _, stalled = step.timed(partial(background.save_checkpoint, state, Path(folder) / LAST))
        background.finish()
    return Stall(size, at_once, stalled)


def variant(
    setting: Setting, device: torch.device, immediate: bool, compiled: bool, seconds: float
) -> dict[str, Any]:
    """Measure the engine's step with other choices; a compiler that is missing or fails is told."""
    name = ("immediate" if immediate else "plain") + " differentiation" + (", compiled" if compiled else "")
    step = _waiting(Step(setting, device, immediate=immediate, compiled=compiled), device)
    try:
        start = time.perf_counter()
        step()
        first = time.perf_counter() - start
    except TorchDynamoException as error:
        return {"name": name, "failure": first_line(error)}
    median_step = median_seconds([step], seconds / 2)[0]
    return {
        "name": name,
        "first_seconds": first,
        "images_per_second": setting.batch / median_step,
        "peak_bytes": peak_bytes(step, device),
    }


def _median_of(timed: list[dict[str, float]], name: str) -> float:
    return median(parts[name] for parts in timed)


def check_same_loss(step: Step) -> None:
    """Raise AssertionError unless both implementations find the same loss in the same outputs."""
    student, teacher = step.outputs()
    ours = step.objective(step.batch, student, teacher)[0]
    torch.testing.assert_close(ours, straight_loss(student, teacher, step.batch), rtol=1e-3, atol=1e-5)


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
