"""The gradients' shares against torch.autograd.grad, by hand; measuring changes nothing."""

from __future__ import annotations

import copy
import re
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from architectures import SMALL_BACKBONE
from torch import Tensor
from torch.nn import functional as F

from distill.config import parse_config
from distill.models.build import build
from distill.models.swiftnet import SwiftNet
from distill.training.distillation import Distillation
from distill.training.gradient_shares import GradientShares, Shares, squared_norms

OBJECTIVE = {
    "logits": "kl",
    "features": [
        {"loss": "l2", "maps": ["P8", "P16"], "weight": 7.0},
        {"loss": "lad", "maps": ["pre_logits"]},
    ],
}


def networks() -> tuple[SwiftNet, SwiftNet]:
    torch.manual_seed(0)
    student, teacher = SwiftNet(SMALL_BACKBONE, 4, channels=6), SwiftNet(SMALL_BACKBONE, 4, channels=6)
    return student.double(), teacher.double().eval()


def batch() -> dict[str, Any]:
    generator = torch.Generator().manual_seed(1)
    labels = torch.randint(0, 4, (2, 128, 128), generator=generator)
    labels[:, :20] = 255
    return {
        "image": torch.randn(2, 3, 128, 128, generator=generator, dtype=torch.float64),
        "labels": labels,
        "weights": (labels != 255).double(),
        "distil": labels != 255,
        "path": ["a.png", "b.png"],
    }


def measured(every: int | None, scaler: Any = None) -> tuple[list[Shares], Distillation]:
    """Take one step; return what was measured, and the module with its gradients."""
    student, teacher = networks()
    classes = {"classes": ["a", "b", "c", "d"], "values": {0: "a", 1: "b", 2: "c", 3: "d"}}
    values = {
        "name": "x",
        "data": {"root": ".", "dataset": "folder", "classes": classes},
        "student": {"backbone": SMALL_BACKBONE},
        "teacher": {"checkpoint": "t.ckpt"},
        "objective": OBJECTIVE,
    }
    training = Distillation(parse_config(values, "here"), student, teacher)
    found: list[Shares] = []
    training._write_gradients = found.extend  # type: ignore[method-assign, assignment]
    training._gradients = GradientShares(every)
    training.trainer = SimpleNamespace(precision_plugin=SimpleNamespace(scaler=scaler))  # type: ignore[assignment]
    training.training_step(batch(), 0).backward()
    return found, training


def by_hand() -> dict[str, dict[str, float]]:
    """The same shares, from losses written out and plain differentiation."""
    student, teacher = networks()
    data = batch()
    taken: list[Tensor] = []
    backbone_forward = student.backbone.forward

    def watched(image: Tensor, level: int) -> list[Tensor]:
        outputs = backbone_forward(image, level)
        taken.extend(outputs)
        return outputs

    student.backbone.forward = watched  # type: ignore[method-assign]
    s = student(data["image"])
    with torch.no_grad():
        t = teacher(data["image"])
    chosen = data["distil"]
    log_p = s.logits.log_softmax(1)
    of_label = log_p.gather(1, data["labels"].clamp(max=3)[:, None])[:, 0][chosen]
    focal = (1 - of_label.exp().detach()) ** 0.5
    divergence = (t.logits.softmax(1) * (t.logits.log_softmax(1) - log_p)).sum(1)[chosen].mean()
    squares = [(s.features[name] - t.features[name]).square().mean() for name in ("P8", "P16")]
    cosine = F.cosine_similarity(s.pre_logits.flatten(1), t.pre_logits.flatten(1))
    losses = {
        "labels": 0.5 * -(focal * of_label).mean(),
        "kl": 0.5 * divergence,
        "l2": 7.0 * (squares[0] + squares[1]) / 2,
        "lad": (2 - 2 * cosine).mean(),
    }
    maps = {"backbone": taken, "decoder": [*s.features.values(), s.pre_logits]}
    assert [len(values) for values in maps.values()] == [12, 7]
    norms: dict[str, dict[str, float]] = {}
    for name, loss in losses.items():
        norms[name] = {}
        for part, values in maps.items():
            found = torch.autograd.grad(loss, values, retain_graph=True, allow_unused=True)
            flat = torch.cat([gradient.flatten() for gradient in found if gradient is not None])
            norms[name][part] = float(flat.norm())
    labels = norms.pop("labels")
    shares = {}
    for name, parts in norms.items():
        shares[name] = {part: norm / labels[part] for part, norm in parts.items()}
    return shares


@pytest.mark.usefixtures("alone")
def test_shares_are_those_of_plain_differentiation_and_the_step_stays_the_same() -> None:
    shares, training = measured(100)
    expected = by_hand()
    assert [one.step for one in shares] == [0]
    assert shares[0].of_parts.keys() == expected.keys() == {"kl", "l2", "lad"}
    for term, parts in expected.items():
        assert shares[0].of_parts[term] == pytest.approx(parts, rel=1e-8), term

    nothing, unmeasured = measured(None)
    assert nothing == []
    for measured_weight, plain_weight in zip(training.parameters(), unmeasured.parameters(), strict=True):
        gradients = measured_weight.grad, plain_weight.grad
        assert (gradients[0] is None) == (gradients[1] is None)
        if gradients[0] is not None and gradients[1] is not None:
            assert torch.equal(gradients[0], gradients[1])
    for measured_buffer, plain_buffer in zip(training.buffers(), unmeasured.buffers(), strict=True):
        assert torch.equal(measured_buffer, plain_buffer)


@pytest.mark.parametrize("scale", [None, 65536.0])
def test_a_scale_saves_gradients_that_half_precision_would_lose(scale: float | None) -> None:
    """x/2e9 has the gradient 5e-10, which is 0 in FP16; the factor of the scaler brings it through."""
    x = torch.ones(4, dtype=torch.float16, requires_grad=True)
    value = x.float().sum() / 2e9
    factor = None if scale is None else torch.tensor(scale)
    (square,) = squared_norms(value, [[x]], factor).tolist()
    assert square**0.5 == pytest.approx(0 if scale is None else 1e-9, rel=0.01)


def test_what_a_term_does_not_reach_counts_nothing() -> None:
    x, y = torch.ones(2, requires_grad=True), torch.ones(3, requires_grad=True)
    assert squared_norms((2 * x).sum(), [[x, y], [y]], None).tolist() == pytest.approx([8, 0])
    assert squared_norms(torch.tensor(3.0), [[x], [y]], None).tolist() == [0, 0]


def test_a_network_without_a_backbone_has_the_decoders_share_alone() -> None:
    torch.manual_seed(0)
    network = build("pidnet_s", 4)
    shares = GradientShares(1)
    with shares.watching(network, 0) as due:
        output = network(torch.randn(2, 3, 64, 64))
    assert due
    mean, square = output.logits.mean(), output.pre_logits.square().mean()
    shares.measure(0, [("labels", mean), ("half", mean / 2), ("other", square)], output)
    (found,) = shares.arrived(0)
    assert found.of_parts["half"] == {"decoder": pytest.approx(0.5)}
    assert found.of_parts["other"].keys() == {"decoder"}


def measure(shares: GradientShares, step: int, value: float = 1.0) -> bool:
    """Measure a step if it is due, with a gradient of ``value`` of a term."""
    x = torch.ones(1, requires_grad=True)
    output: Any = SimpleNamespace(features={"P4": x}, pre_logits=x)
    with shares.watching(torch.nn.Identity(), step) as due:
        if due:
            shares.measure(step, [("labels", x.sum()), ("cwd", value * x.sum())], output)
    return due


def test_every_nth_step_is_measured_once_whatever_the_batches_of_a_step() -> None:
    shares = GradientShares(3)
    assert [step for step in (0, 0, 1, 1, 2, 2, 3, 3, 4, 4) if measure(shares, step)] == [0, 3]


def test_on_a_gpu_shares_come_some_steps_later() -> None:
    shares = GradientShares(5, lag=2)
    arrived = []
    for step in range(9):
        measure(shares, step)
        arrived.append([one.step for one in shares.arrived(step)])
    assert arrived == [[], [], [0], [], [], [], [], [5], []]
    measure(shares, 10)
    assert [one.step for one in shares.finish()] == [10]
    assert shares.finish() == []


def test_an_overflow_is_measured_again_but_not_for_ever() -> None:
    shares = GradientShares(100)
    steps = []
    for step in range(20):
        if measure(shares, step, float("inf")):
            steps.append(step)
        for one in shares.arrived(step):
            assert one.of_parts == {"cwd": {}}
            assert one.faults() == {}
    assert steps == [*range(11)]


@pytest.mark.parametrize(
    ("parts", "fault"),
    [
        ({"backbone": 0.019, "decoder": 0.001}, "cwd is 1.9 % of the labels' at step 7, below 2 %"),
        ({"backbone": 0.021, "decoder": 0.001}, None),
        ({"backbone": 1.0, "decoder": 10.5}, r"cwd is 10.5 times the labels' at step 7 \(decoder\)"),
        ({"backbone": 9.9}, None),
    ],
)
def test_terms_out_of_bounds_are_named(parts: dict[str, float], fault: str | None) -> None:
    faults = Shares(7, {"cwd": parts}).faults()
    assert len(faults) == (fault is not None)
    for text in faults.values():
        assert re.search(fault or "", text)


def test_a_copy_of_a_module_measures_on_its_own() -> None:
    shares = GradientShares(1)
    other = copy.deepcopy(shares)
    assert measure(shares, 0)
    assert measure(other, 0)
