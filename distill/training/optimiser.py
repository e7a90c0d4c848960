"""The optimiser, its groups of weights and the schedule of their learning rates.

At step t of S (one step is one change of the weights, S the steps of ``training.epochs``), the rate of a
group is ``learning_rate`` · factor of the group · s(t), with p = t/S and W steps of warm-up::

    s(t) = w(t)·(1 + cos πp)/2          schedule cosine
    s(t) = w(t)·(1 − p)^power           schedule polynomial
    w(t) = r + (1 − r)·t/W              for t < W, with r = 1e-6; else 1

The warm-up multiplies the schedule, as in the mmcv library, with which SegFormer was trained.

All optimisers are fused: they update all weights in a few kernels and keep their number of steps on the
device. With FP16, PyTorch's gradient scaler hands its scale and its "found an infinity" to them, where it
would otherwise wait every step to read the latter on the host.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.nn.modules.batchnorm import _NormBase

from distill.config import TrainingConfig
from distill.models.network import SegmentationNetwork

WARM_UP_START: Final = 1e-6
"""Share of the schedule's learning rate at the first step of a warm-up."""
NORMS: Final = (_NormBase, nn.LayerNorm, nn.GroupNorm)
"""Normalisation layers, whose weights ``training.decay_norms: false`` leaves alone; timm's are subclasses."""


def make_optimiser(
    training: TrainingConfig,
    student: SegmentationNetwork,
    adapters: Iterable[nn.Parameter] = (),
    undecayed: Iterable[nn.Parameter] = (),
) -> torch.optim.Optimizer:
    """Return the optimiser of a student and of what learns with it.

    Its groups are, in this order: all but the backbone, with the adapters; the backbone; the same two again
    for normalisation layers, where these have no weight decay; and ``undecayed``, if there are any.

    :param adapters: learn as the rest of the student.
    :param undecayed: learn at ``learning_rate``, without weight decay.
    """
    backbone = set(student.backbone_parameters())
    norms: set[nn.Parameter] = set() if training.decay_norms else set(_norm_parameters(student))
    head_rate = training.learning_rate * training.head_factor
    backbone_rate = training.learning_rate * training.backbone_factor
    groups: list[dict[str, Any]] = [
        {"params": [], "lr": head_rate},
        {"params": [], "lr": backbone_rate},
    ]
    if norms:
        groups += [{**group, "params": [], "weight_decay": 0.0} for group in groups]
    for parameter in student.parameters():
        number = int(parameter in backbone) + 2 * int(parameter in norms)
        groups[number]["params"].append(parameter)
    groups[0]["params"] += adapters
    apart = [*undecayed]
    if apart:
        groups.append({"params": apart, "lr": training.learning_rate, "weight_decay": 0.0})

    common: dict[str, Any] = {
        "lr": training.learning_rate,
        "weight_decay": training.weight_decay,
        "fused": True,
    }
    if training.optimiser == "sgd":
        return torch.optim.SGD(groups, momentum=training.momentum or 0.0, **common)
    kind = torch.optim.AdamW if training.optimiser == "adamw" else torch.optim.Adam
    return kind(groups, betas=training.betas, **common)


def _norm_parameters(network: nn.Module) -> Iterator[nn.Parameter]:
    for module in network.modules():
        if isinstance(module, NORMS):
            yield from module.parameters()


class ScheduleFactor:
    """The share s(t) of its first learning rate that every group has at step t.

    :param steps: S, the number of steps after which the schedule ends.
    """

    def __init__(self, training: TrainingConfig, steps: int) -> None:
        self.schedule = training.schedule
        self.power = training.power or 0.0
        self.warm_up = training.warm_up
        self.steps = steps

    def __call__(self, step: int) -> float:
        """Return s(t), 0…1; after the last step that of the last one."""
        done = min(1.0, step / self.steps)
        share = (1 + math.cos(math.pi * done)) / 2 if self.schedule == "cosine" else (1 - done) ** self.power
        if step < self.warm_up:
            share *= WARM_UP_START + (1 - WARM_UP_START) * step / self.warm_up
        return share


def settings_of(optimiser: torch.optim.Optimizer) -> list[dict[str, Any]]:
    """Return the settings of every group of an optimiser: rates, decay, momentum; not its weights."""
    settings = []
    for group in optimiser.param_groups:
        settings.append({key: value for key, value in group.items() if key != "params"})
    return settings


def follow_configuration(
    schedule: torch.optim.lr_scheduler.LambdaLR, factor: ScheduleFactor, settings: list[dict[str, Any]]
) -> None:
    """Let a restored schedule and its optimiser continue, at the step they stand at, as configured.

    :param factor: the schedule of the configuration.
    :param settings: what :func:`settings_of` returned for the configuration's optimiser at its start.
    """
    rates = [group["initial_lr"] for group in settings]
    now = [rate * factor(schedule.last_epoch) for rate in rates]
    schedule.lr_lambdas = [factor for _ in rates]
    schedule.base_lrs = rates
    schedule._last_lr = now
    for group, wanted, rate in zip(schedule.optimizer.param_groups, settings, now, strict=True):
        group.update(wanted)
        group["lr"] = rate


def use_fused(state: dict[str, Any]) -> None:
    """Let an optimiser whose state is about to be loaded be fused: earlier checkpoints have it otherwise.

    :param state: what the optimiser's ``state_dict`` returned; changed in place.
    """
    for group in state["param_groups"]:
        group["fused"], group["foreach"] = True, None


def scale_of(scaler: GradScaler | None, like: Tensor) -> Tensor | None:
    """Return the factor by which a scaler multiplies the loss, without waiting for the device.

    :param like: a scalar of the type and device of the result.
    :returns: a scalar; None without a scaler.
    """
    if scaler is None:
        return None
    factor: Tensor = scaler.scale(torch.ones_like(like))
    return factor


def leave_out_functions(state: dict[str, Any]) -> None:
    """Take the groups' functions out of a schedule's state that is about to be loaded.

    Loaded, they would change this configuration's :class:`ScheduleFactor`; earlier checkpoints have none.

    :param state: what the schedule's ``state_dict`` returned; changed in place.
    """
    state["lr_lambdas"] = [None] * len(state["base_lrs"])


def clip_gradients(optimizer: torch.optim.Optimizer, most: float, scaler: GradScaler | None) -> None:
    """Shorten the whole gradient to a greatest norm, without waiting for the device.

    :param most: the greatest norm, of the gradient without the scaler's factor.
    :param scaler: what the loss was scaled by. Fused optimisers take its factor out only while they step, so
        that the gradients still have it here.
    """
    parameters: list[Tensor] = []
    for group in optimizer.param_groups:
        parameters += [parameter for parameter in group["params"] if parameter.grad is not None]
    norm = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
    if scaler is not None:
        norm = norm / scaler.scale(torch.ones_like(norm))
    torch.nn.utils.clip_grads_with_norm_(parameters, most, norm)


def describe_optimiser(training: TrainingConfig, student: SegmentationNetwork) -> str:
    """Say in one line for the log with what the student's weights are changed, and how fast each part."""
    names = {"adam": "Adam", "adamw": "AdamW", "sgd": f"SGD with momentum {training.momentum}"}
    schedule: str = training.schedule
    if schedule == "polynomial":
        schedule += f" of power {training.power:g}"
    epochs = f"{training.epochs} epochs"
    if training.stop_after is not None:
        epochs += f", stopped after {training.stop_after}"
    rate = training.learning_rate * training.head_factor
    backbone = sum(parameter.numel() for parameter in student.backbone_parameters())
    if backbone:
        slow = training.learning_rate * training.backbone_factor
        parts = f"learning rate {rate:g}, of the backbone ({backbone / 1e6:.3f} M parameters) {slow:g}"
    else:
        parts = f"learning rate {rate:g} for the whole network, which has no backbone group"
        if training.backbone_factor != training.head_factor:
            parts += f": training.backbone_factor {training.backbone_factor:g} is without effect"
    warm_up = f", {training.warm_up} steps of warm-up" if training.warm_up else ""
    return f"optimiser: {names[training.optimiser]}, {parts}; {schedule} over {epochs}{warm_up}"
