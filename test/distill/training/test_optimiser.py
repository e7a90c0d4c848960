"""Optimisers and schedules against PyTorch's own, groups of weights, and gradients clipped under a scaler."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

from distill.config import TrainingConfig
from distill.models.build import build
from distill.models.network import SegmentationNetwork
from distill.training.optimiser import (
    ScheduleFactor,
    clip_gradients,
    describe_optimiser,
    follow_configuration,
    make_optimiser,
    settings_of,
    use_fused,
)

STEPS = 12
SGD: dict[str, Any] = {"optimiser": "sgd", "learning_rate": 0.01, "momentum": 0.9, "weight_decay": 5e-4}
ADAMW: dict[str, Any] = {
    "optimiser": "adamw",
    "learning_rate": 6e-5,
    "betas": (0.9, 0.999),
    "weight_decay": 0.01,
}
PLAIN: dict[str, Any] = {
    "adam": (torch.optim.Adam, {}, {"lr": 4e-4, "betas": (0.9, 0.99), "weight_decay": 1e-4}),
    "adamw": (torch.optim.AdamW, ADAMW, {"lr": 6e-5, "betas": (0.9, 0.999), "weight_decay": 0.01}),
    "sgd": (torch.optim.SGD, SGD, {"lr": 0.01, "momentum": 0.9, "weight_decay": 5e-4}),
}


class Pair(SegmentationNetwork):
    """A network of two layers, one of which is the backbone."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.backbone = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
        self.head = nn.Sequential(nn.Conv2d(4, 2, 1), nn.LayerNorm(2))


def push(network: nn.Module) -> None:
    """Give every weight the gradient that its own value and number make."""
    for number, parameter in enumerate(network.parameters()):
        parameter.grad = parameter.detach() * (number + 1) + 0.1


@pytest.mark.parametrize("name", PLAIN)
def test_steps_are_those_of_pytorchs_optimiser(name: str) -> None:
    kind, values, arguments = PLAIN[name]
    ours, theirs = Pair(), Pair()
    training = TrainingConfig(**values, backbone_factor=1)
    one, other = make_optimiser(training, ours), kind(theirs.parameters(), **arguments)
    for _ in range(3):
        push(ours)
        push(theirs)
        one.step()
        other.step()
    for mine, wanted in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, wanted)


@pytest.mark.parametrize(
    ("values", "plain"),
    [
        ({}, lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, T_max=STEPS)),
        (
            {"schedule": "polynomial"},
            lambda o: torch.optim.lr_scheduler.PolynomialLR(o, total_iters=STEPS, power=0.9),
        ),
        (
            {"schedule": "polynomial", "power": 2},
            lambda o: torch.optim.lr_scheduler.PolynomialLR(o, total_iters=STEPS, power=2),
        ),
    ],
)
def test_rates_fall_as_pytorchs_schedules_do(values: dict[str, Any], plain: Any) -> None:
    factor = ScheduleFactor(TrainingConfig(**values), STEPS)
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = plain(optimiser)
    for step in range(STEPS + 1):
        assert factor(step) == pytest.approx(schedule.get_last_lr()[0], abs=1e-6)
        optimiser.step()
        schedule.step()


def test_the_warm_up_is_that_of_segformer() -> None:
    """mmcv takes (1 − t/W)·(1 − r) of the polynomial rate off it, with W steps from a share r of 1e-6."""
    factor = ScheduleFactor(TrainingConfig(schedule="polynomial", power=1, warm_up=1500), 160_000)
    for step in (0, 1, 750, 1499, 1500, 80_000, 160_000):
        regular = 1 - step / 160_000
        off = (1 - step / 1500) * (1 - 1e-6) if step < 1500 else 0.0
        assert factor(step) == pytest.approx(regular * (1 - off), rel=1e-9, abs=1e-12)


def test_the_backbones_rate_is_that_of_the_reference_recipe() -> None:
    """Its group has 12.64 M parameters of ResNet18: backbone, 12 projections and an unused classifier.

    There the BatchNorms of the three shortcuts are shared between the levels; here each level has its own.
    """
    with torch.device("meta"):
        network = build("swiftnet_resnet18", 19)
    counted = sum(parameter.numel() for parameter in network.backbone_parameters())
    projections = 3 * sum(2 * width + (width + 1) * 320 for width in (64, 128, 256, 512))
    convolutions, norms, shortcut_norms = 11_166_912, 9_600, 2 * (128 + 256 + 512)
    assert counted == convolutions + 3 * norms + projections == 12_126_912
    classifier = 513 * 1000
    assert round((counted + classifier - 2 * shortcut_norms) / 1e6, 2) == 12.64
    groups = make_optimiser(TrainingConfig(), network).param_groups
    assert [group["lr"] for group in groups] == [4e-4, 1e-4]
    assert sum(parameter.numel() for parameter in groups[1]["params"]) == counted


def test_rates_and_decay_of_every_group() -> None:
    """SegFormer's: the head ten times as fast, no decay of normalisation layers; adapters as the head."""
    adapter, temperature = nn.Parameter(torch.zeros(5)), nn.Parameter(torch.zeros(1))
    training = TrainingConfig(**ADAMW, backbone_factor=1, head_factor=10, decay_norms=False)
    groups = make_optimiser(training, Pair(), [adapter], [temperature]).param_groups
    assert [group["lr"] for group in groups] == pytest.approx([6e-4, 6e-5, 6e-4, 6e-5, 6e-5])
    assert [group["weight_decay"] for group in groups] == [0.01, 0.01, 0, 0, 0]
    sizes = []
    for group in groups:
        sizes.append([parameter.numel() for parameter in group["params"]])
    assert sizes == [[8, 2, 5], [12, 4], [2, 2], [4, 4], [1]]


def test_a_restored_schedule_follows_the_configuration() -> None:
    """Rates, momentum and decay are those configured, at the step that the restored one stands at."""
    training = TrainingConfig(**SGD, schedule="polynomial", backbone_factor=1)
    factor = ScheduleFactor(training, STEPS)
    optimiser = make_optimiser(training, Pair())
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, factor)
    settings = settings_of(optimiser)
    for _ in range(3):
        optimiser.step()
        schedule.step()
    for group in optimiser.param_groups:
        group.update(lr=9, initial_lr=9, momentum=0.5, weight_decay=7)
    follow_configuration(schedule, factor, settings)
    for group in optimiser.param_groups:
        assert group["lr"] == pytest.approx(0.01 * (1 - 3 / STEPS) ** 0.9)
        assert (group["initial_lr"], group["momentum"], group["weight_decay"]) == (0.01, 0.9, 5e-4)
    schedule.step()
    assert schedule.get_last_lr() == pytest.approx(2 * [0.01 * (1 - 4 / STEPS) ** 0.9])


def test_what_learns_how_fast_is_said_in_one_line() -> None:
    with torch.device("meta"):
        pidnet, swiftnet = build("pidnet_s", 19), build("swiftnet_resnet18", 19)
    assert describe_optimiser(TrainingConfig(stop_after=50), swiftnet) == (
        "optimiser: Adam, learning rate 0.0004, of the backbone (12.127 M parameters) 0.0001; cosine over "
        "250 epochs, stopped after 50"
    )
    training = TrainingConfig(**SGD, schedule="polynomial", warm_up=7)
    assert describe_optimiser(training, pidnet) == (
        "optimiser: SGD with momentum 0.9, learning rate 0.01 for the whole network, which has no backbone "
        "group: training.backbone_factor 0.25 is without effect; polynomial of power 0.9 over 250 epochs, "
        "7 steps of warm-up"
    )


def network(scale: float) -> nn.Module:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1))
    (scale * layers(torch.ones(2, 3)).sum()).backward()
    return layers


@pytest.mark.parametrize("most", [0.5, 1e6])
@pytest.mark.parametrize("factor", [1.0, 2.0**16])
def test_it_clips_as_pytorch_does_without_the_factor(most: float, factor: float) -> None:
    plain, scaled = network(1), network(factor)
    torch.nn.utils.clip_grad_norm_(plain.parameters(), most)
    scaler = torch.amp.GradScaler("cpu", init_scale=factor)
    clip_gradients(torch.optim.Adam(scaled.parameters()), most, scaler)
    for one, other in zip(plain.parameters(), scaled.parameters(), strict=True):
        assert one.grad is not None
        assert other.grad is not None
        torch.testing.assert_close(other.grad / factor, one.grad)


def test_an_infinite_gradient_is_still_there_for_the_scaler_to_find() -> None:
    layers = network(1)
    next(layers.parameters()).grad[0, 0] = float("inf")  # type: ignore[index]
    clip_gradients(torch.optim.Adam(layers.parameters()), 1.0, None)
    assert not all(p.grad.isfinite().all() for p in layers.parameters() if p.grad is not None)


def test_the_state_of_another_adam_goes_on_fused() -> None:
    before, after = network(1), network(1)
    optimizer = torch.optim.Adam(before.parameters(), fused=False)
    optimizer.step()
    state = copy.deepcopy(optimizer.state_dict())
    use_fused(state)
    after.load_state_dict(before.state_dict())
    fused = torch.optim.Adam(after.parameters(), fused=True)
    fused.load_state_dict(state)
    assert all(group["fused"] for group in fused.param_groups)
    optimizer.step()
    fused.step()
    for one, other in zip(before.parameters(), after.parameters(), strict=True):
        torch.testing.assert_close(one, other)
