"""Two processes with half a batch each do what one does with the whole: losses, BatchNorm, training.

:func:`everything` runs in two processes and, for comparison, here in one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from architectures import SMALL_BACKBONE
from loss_values import loss_value
from timm.layers import BatchNormAct2d
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel
from two_processes import in_two_processes

from distill.common.distributed import (
    gather_over_processes,
    mean_over_processes,
    process_count,
    sum_over_processes,
)
from distill.losses.adversarial import discriminator_loss
from distill.losses.border_focal import border_focal_loss
from distill.losses.boundary import boundary_loss
from distill.losses.catalogue import ALL_LOSSES
from distill.losses.ohem import ohem_loss
from distill.models.discriminator import Discriminator
from distill.models.swiftnet import SwiftNet
from distill.models.sync_batch_norm import synchronise_batch_norms

IGNORE = 255
FRAMES, CLASSES, HEIGHT, WIDTH = 4, 6, 16, 24
PIXELS = HEIGHT * WIDTH

IGNORED = {
    "uneven": (0.05, 0.9, 0.3, 0.5),
    "nothing in the first process": (1.0, 1.0, 0.2, 0.9),
    "nothing in the second process": (0.4, 0.1, 1.0, 1.0),
    "one pixel": (1.0, 1.0, 1.0, 1 - 1 / PIXELS),
    "nothing": (1.0, 1.0, 1.0, 1.0),
}
"""Share of ignored pixels in each frame; the first two frames are the first process'."""

OHEM: dict[str, Callable[..., Tensor]] = {
    # With "uneven" the processes have 403 and 461 labelled pixels. The threshold chooses only in the last.
    "ohem few": partial(ohem_loss, threshold=1e-12, keep=50),
    "ohem many": partial(ohem_loss, threshold=1e-12, keep=600),
    "ohem all": ohem_loss,
    "ohem by threshold": partial(ohem_loss, threshold=0.3, keep=5),
}
"""Which pixels are the hardest may be decided by either process, by both or by the threshold."""

NORMS: dict[str, Callable[[], nn.BatchNorm2d]] = {
    "plain": lambda: nn.BatchNorm2d(3, momentum=0.3),
    "with activation": lambda: BatchNormAct2d(3),
    "cumulative": lambda: nn.BatchNorm2d(3, momentum=None),
    "without affine": lambda: nn.BatchNorm2d(3, affine=False),
    "without running statistics": lambda: nn.BatchNorm2d(3, track_running_stats=False),
}


TOLERANCES = {torch.float64: 1e-10, torch.float32: 1e-5, torch.bfloat16: 1e-2, torch.int64: 0.0}
"""Relative, and absolute where values are near 0."""


def part(batch: Tensor) -> Tensor:
    """The part of a batch that this process has; a single process has all of it."""
    rank = distributed.get_rank() if process_count() > 1 else 0
    return batch.chunk(process_count())[rank].clone()


def random_maps(seed: int, channels: int = CLASSES) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 3 * torch.randn(FRAMES, channels, HEIGHT, WIDTH, generator=generator, dtype=torch.float64)


def random_labels(ignored: tuple[float, ...], height: int = HEIGHT, width: int = WIDTH) -> Tensor:
    """Blocks of 4×4 pixels; the given share of each frame is ignored, exactly."""
    generator = torch.Generator().manual_seed(7)
    blocks = torch.randint(0, CLASSES, (FRAMES, height // 4, width // 4), generator=generator)
    labels = blocks.repeat_interleave(4, 1).repeat_interleave(4, 2)
    for frame, share in zip(labels, ignored, strict=True):
        order = torch.randperm(height * width, generator=generator)
        frame.view(-1)[order[: round(share * height * width)]] = IGNORE
    return labels


def border_weights(labels: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(8)
    return torch.randint(1, 9, labels.shape, generator=generator).float() * (labels != IGNORE)


def value_and_gradient(loss: Callable[[Tensor], Tensor], seed: int = 1) -> dict[str, Tensor]:
    x = part(random_maps(seed)).requires_grad_()
    value = loss(x)
    value.backward()
    assert x.grad is not None
    return {"value": value.detach(), "gradient": x.grad}


def all_losses() -> dict[str, Any]:
    """Every loss of the catalogue and the parts of PIDNet's, in every situation."""
    results = {}
    teacher = part(random_maps(2))
    for situation, ignored in IGNORED.items():
        labels = random_labels(ignored)
        weights = part(border_weights(labels))
        labels = part(labels)
        for name, loss in ALL_LOSSES.items():
            call = partial(loss_value, loss, teacher=teacher, labels=labels, border_weights=weights)
            results[f"{name}, {situation}"] = value_and_gradient(call)
        for name, ohem in OHEM.items():
            results[f"{name}, {situation}"] = value_and_gradient(partial(ohem, labels=labels))
        boundary = partial(boundary_logit_loss, labels=labels)
        results[f"boundary, {situation}"] = value_and_gradient(boundary)
    torch.manual_seed(0)
    critic, image = Discriminator(CLASSES, width=4).double(), part(random_maps(3, channels=3))
    discriminator_loss(critic, part(random_maps(1)), teacher, image).backward()
    results["discriminator"] = {
        name: parameter.grad for name, parameter in critic.named_parameters() if parameter.grad is not None
    }
    return results


def boundary_logit_loss(x: Tensor, labels: Tensor) -> Tensor:
    return boundary_loss(x[:, :1], labels)


def batch_norms() -> dict[str, Any]:
    """Outputs, gradients and statistics after two batches whose halves differ much."""
    results: dict[str, Any] = {}
    for name, make in NORMS.items():
        for dtype in (torch.float64, torch.float32, torch.bfloat16):
            # Weights stay in full precision under autocast.
            holder = nn.Sequential(make()).to(torch.promote_types(dtype, torch.float32))
            synchronise_batch_norms(holder, "cpu")
            for seed in (1, 2):
                frames = torch.arange(FRAMES)[:, None, None, None]
                whole = random_maps(seed, 3) * (1 + frames) + 5 * frames
                x = part(whole).to(dtype).requires_grad_()
                y = holder(x)
                (y * part(random_maps(9, 3)).to(dtype)).sum().backward()
            results[f"{name}, {dtype}"] = {
                "split": {"output": y.detach(), "gradient": x.grad},
                "added": {key: p.grad for key, p in holder.named_parameters()},
                "equal": dict(holder.named_buffers()),
            }
    return results


def training() -> dict[str, Any]:
    """Three steps of Adam on the border-focal loss."""
    torch.manual_seed(0)
    network = SwiftNet(SMALL_BACKBONE, CLASSES, channels=8).double().train()
    synchronise_batch_norms(network, "cpu")
    model: nn.Module = DistributedDataParallel(network) if process_count() > 1 else network
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    values, gradients = [], {}
    for step, situation in enumerate(list(IGNORED)[:3]):
        labels = random_labels(IGNORED[situation], 128, 128)
        weights = part(border_weights(labels))
        image = torch.randn(FRAMES, 3, 128, 128, generator=torch.Generator().manual_seed(step)).double()
        loss = border_focal_loss(model(part(image)).logits, part(labels), weights)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        values.append(loss.detach())
        if step == 0:
            gradients = {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}
    return {"values": torch.stack(values), "gradients": gradients, "state": network.state_dict()}


def everything() -> dict[str, Any]:
    counts = part(torch.arange(4).reshape(4, 1))
    return {
        "helpers": {
            "count": torch.tensor(process_count()),
            "sum": sum_over_processes(counts.sum()),
            "mean": mean_over_processes(counts.sum()),
            "gathered": gather_over_processes(counts),
        },
        "losses": all_losses(),
        "norms": batch_norms(),
        "training": training(),
    }


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return in_two_processes(everything, tmp_path_factory.mktemp("processes"))


@pytest.fixture(scope="module")
def whole() -> dict[str, Any]:
    return everything()


def assert_equal(found: Tensor, expected: Tensor) -> None:
    tolerance = TOLERANCES[expected.dtype]
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


def test_sums_means_and_gathering(halves: list[dict[str, Any]]) -> None:
    for half in halves:
        found = half["helpers"]
        assert (found["count"].item(), found["sum"].item(), found["mean"].item()) == (2, 6, 3)
        assert found["gathered"].flatten().tolist() == [0, 1, 2, 3]


def test_alone_a_process_gets_back_what_it_gives() -> None:
    tensor = torch.ones(2, 3)
    assert process_count() == 1
    for function in (sum_over_processes, mean_over_processes, gather_over_processes):
        assert function(tensor) is tensor


def test_losses_and_their_gradients(halves: list[dict[str, Any]], whole: dict[str, Any]) -> None:
    """The mean of the processes' losses is that of the whole batch, and so are the averaged gradients."""
    assert len(whole["losses"]) == len(IGNORED) * (len(ALL_LOSSES) + len(OHEM) + 1) + 1
    for name, expected in whole["losses"].items():
        first, second = halves[0]["losses"][name], halves[1]["losses"][name]
        for key, value in expected.items():
            found = (
                torch.cat([first[key], second[key]]) / 2
                if key == "gradient"
                else (first[key] + second[key]) / 2
            )
            torch.testing.assert_close(found, value, rtol=1e-10, atol=1e-13, msg=f"{name}: {key}")


@pytest.mark.parametrize("name", ALL_LOSSES)
def test_the_catalogue_knows_which_losses_need_the_other_process(name: str, whole: dict[str, Any]) -> None:
    """The others are the mean of what the two halves of the batch give by themselves."""
    labels = random_labels(IGNORED["uneven"])
    weights = border_weights(labels)
    alone = []
    for half in (slice(0, 2), slice(2, 4)):
        student, teacher = random_maps(1)[half], random_maps(2)[half]
        alone.append(loss_value(ALL_LOSSES[name], student, teacher, labels[half], weights[half]).item())
    expected = whole["losses"][f"{name}, uneven"]["value"].item()
    is_mean = sum(alone) / 2 == pytest.approx(expected, rel=1e-4)
    assert is_mean != ALL_LOSSES[name].over_whole_batch


@pytest.mark.parametrize("name", ["boundary", *OHEM])
def test_the_parts_of_pidnets_loss_need_the_other_process(name: str, whole: dict[str, Any]) -> None:
    """Else the test of two processes would show nothing about them."""
    labels = random_labels(IGNORED["uneven"])
    loss = OHEM.get(name, boundary_logit_loss)
    first = loss(random_maps(1)[:2], labels=labels[:2]).item()
    second = loss(random_maps(1)[2:], labels=labels[2:]).item()
    assert (first + second) / 2 != pytest.approx(whole["losses"][f"{name}, uneven"]["value"].item(), rel=1e-4)


@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_batch_norm(
    name: str, dtype: torch.dtype, halves: list[dict[str, Any]], whole: dict[str, Any]
) -> None:
    expected = whole["norms"][f"{name}, {dtype}"]
    first = halves[0]["norms"][f"{name}, {dtype}"]
    second = halves[1]["norms"][f"{name}, {dtype}"]
    for key, value in expected["split"].items():
        assert_equal(torch.cat([first["split"][key], second["split"][key]]), value)
    for key, value in expected["added"].items():
        assert_equal(first["added"][key] + second["added"][key], value)
    for key, value in expected["equal"].items():
        assert_equal(first["equal"][key], value)
        assert torch.equal(first["equal"][key], second["equal"][key])


def test_training_with_ddp(halves: list[dict[str, Any]], whole: dict[str, Any]) -> None:
    """Adam makes steps of up to 1e-3 even of gradients that are all rounding error."""
    expected, (first, second) = whole["training"], (half["training"] for half in halves)
    assert_equal((first["values"] + second["values"]) / 2, expected["values"])
    for key, value in expected["gradients"].items():
        assert_equal(first["gradients"][key], value)
    assert first["state"].keys() == expected["state"].keys()
    for key, value in expected["state"].items():
        torch.testing.assert_close(first["state"][key], value, rtol=1e-6, atol=1e-7)
        assert torch.equal(first["state"][key], second["state"][key])
