"""Losses differentiated immediately against plain backpropagation through their sum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from architectures import SMALL_BACKBONE
from torch import Tensor, nn

import distill.training.feature_term
import distill.training.objective
from distill.config import ObjectiveConfig
from distill.models.build import build
from distill.training.feature_maps import feature_shapes
from distill.training.immediate_backward import ByImage, Losses, immediate_backward
from distill.training.objective import Objective


def test_values_and_gradients_are_those_of_the_sum() -> None:
    x = torch.randn(5, dtype=torch.float64, requires_grad=True)
    y = torch.randn(5, dtype=torch.float64, requires_grad=True)
    w = torch.randn(5, dtype=torch.float64, requires_grad=True)

    def product_and_exponential(inputs: Sequence[Tensor]) -> list[Tensor]:
        a, b = inputs
        return [(a * b).sum(), a.exp().sum()]

    def weighted_product(inputs: Sequence[Tensor]) -> list[Tensor]:
        a, b = inputs
        return [(a * b * (w - 1)).sum()]

    total = immediate_backward([product_and_exponential, weighted_product], [x, y], [w])
    (3 * total).backward()
    assert float(total.detach()) == pytest.approx(float(((x * y * w).sum() + x.exp().sum()).detach()))
    torch.testing.assert_close(x.grad, 3 * (y * w + x.exp()).detach())
    torch.testing.assert_close(y.grad, 3 * (x * w).detach())
    torch.testing.assert_close(w.grad, 3 * (x * y).detach())


def test_what_a_loss_does_not_depend_on_gets_no_gradient() -> None:
    x, y = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    immediate_backward([lambda inputs: [inputs[0].sum(), torch.tensor(4.0)]], [x, y]).backward()
    assert x.grad is not None
    assert y.grad is None


def test_one_graph_at_a_time_and_nothing_but_gradients_after() -> None:
    kept: list[int] = []
    x = torch.randn(1000, requires_grad=True)

    def pack(tensor: Tensor) -> Tensor:
        kept.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        x.exp().log1p().sum()
        plain, kept[:] = len(kept), []
        total = immediate_backward([lambda inputs: [inputs[0].detach().sum() + (inputs[0] * 2).sum()]], [x])
    assert plain == 2
    assert kept == [1000]  # the gradient
    total.backward()
    assert x.grad is not None


def test_gradients_too_small_for_fp16_survive_until_they_are_scaled() -> None:
    x = torch.ones(4, dtype=torch.float16, requires_grad=True)
    total = immediate_backward([lambda inputs: [(1e-9 * inputs[0]).sum()]], [x])
    (total * 2.0**16).backward()
    assert x.grad is not None
    assert x.grad.dtype == torch.float16
    torch.testing.assert_close(x.grad, torch.full_like(x, 1e-9 * 2**16), rtol=1e-2, atol=0)


def test_without_gradients_it_is_the_sum() -> None:
    x = torch.ones(3, requires_grad=True)
    with torch.no_grad():
        total = immediate_backward([lambda inputs: [inputs[0].sum(), inputs[0].sum()]], [x])
    assert float(total) == 6
    assert not total.requires_grad


@pytest.mark.parametrize("batch", [1, 3, 5])
def test_losses_by_image_are_those_of_the_batch(batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """At two images at a time, next to a loss that is given all of them."""
    monkeypatch.setattr("distill.training.immediate_backward.BYTES_AT_ONCE", 2 * 4 * 3)
    x = torch.randn(batch, 3, dtype=torch.float64, requires_grad=True)
    factors, w = torch.rand(batch, 1), torch.ones((), requires_grad=True)
    seen: list[int] = []

    def of_images(inputs: Sequence[Tensor], images: slice) -> list[Tensor]:
        seen.append(len(inputs[0]))
        return [(factors[images] * inputs[0]).square().sum(), w * inputs[0].sum()]

    def of_all(inputs: Sequence[Tensor]) -> list[Tensor]:
        return [inputs[0].prod()]

    total = immediate_backward([ByImage(of_images), of_all], [x], [w])
    assert seen == [2] * (batch // 2) + [1] * (batch % 2)
    total.backward()
    ours = x.grad, w.grad
    x.grad = w.grad = None
    expected = of_images([x], slice(None))[0] + x.sum() * w + x.prod()
    expected.backward()
    torch.testing.assert_close(total, expected)
    torch.testing.assert_close(ours, (x.grad, w.grad))


def sum_over_the_batch(functions: Losses, inputs: Sequence[Tensor], _: Any = ()) -> Tensor:
    """Plain backpropagation, with every loss given the whole batch."""
    losses: list[Tensor] = []
    for function in functions:
        if isinstance(function, ByImage):
            losses += function.compute(inputs, slice(None))
        else:
            losses += function(inputs)
    return torch.stack(losses).sum()


@pytest.mark.parametrize(("semantic", "heads"), [("pidnet", True), ("border_focal", False)])
def test_the_whole_objective_has_the_gradients_of_plain_backpropagation(
    semantic: str, heads: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where losses that may be are computed image by image."""
    monkeypatch.setattr("distill.training.immediate_backward.BYTES_AT_ONCE", 1)
    config = ObjectiveConfig.model_validate(
        {
            "semantic": semantic,
            "logits": "kl_border",
            "curriculum_temperature": True,
            "features": [
                {"loss": "cwd", "adapters": True, "maps": {"detail": "P8", "context": "P64"}},
                {"loss": "intra_class", "adapters": True, "maps": {"boundary": "P16"}},
            ],
        }
    )
    torch.manual_seed(0)
    student = build("pidnet_s", 19).double().train(heads)
    teacher = build("swiftnet", 19, backbone=SMALL_BACKBONE, channels=8).double().eval()
    objective = Objective(
        config, feature_shapes(student, (64, 64)), feature_shapes(teacher, (64, 64))
    ).double()
    image = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    labels = torch.randint(0, 19, (2, 64, 64))
    labels[:, :20] = 255
    batch = {"labels": labels, "weights": (labels != 255).double() * 3, "distil": labels != 255}
    with torch.no_grad():
        taught = teacher(image)
    learnt = nn.ModuleList([student, objective])

    def gradients() -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
        learnt.zero_grad()
        total, terms = objective(batch, student(image), taught, 0.5)
        total.backward()
        return (
            total.detach(),
            terms,
            {n: p.grad.clone() for n, p in learnt.named_parameters() if p.grad is not None},
        )

    total, terms, ours = gradients()
    monkeypatch.setattr(distill.training.objective, "immediate_backward", sum_over_the_batch)
    monkeypatch.setattr(distill.training.feature_term, "immediate_backward", sum_over_the_batch)
    plain_total, plain_terms, plain = gradients()
    torch.testing.assert_close(total, plain_total)
    torch.testing.assert_close(terms, plain_terms)
    assert ours.keys() == plain.keys()
    assert any("theta" in name for name in ours)
    assert any("projections" in name for name in ours)
    for name, gradient in plain.items():
        torch.testing.assert_close(ours[name], gradient, rtol=1e-9, atol=1e-12)


def test_gradients_too_small_for_half_precision_survive_autocast() -> None:
    """An adapter's convolution would run in FP16 there, and what comes back through it be 0."""
    features = torch.randn(1, 8, 16, 16).half()
    adapter = nn.Conv2d(8, 8, 1)

    def found(enabled: bool) -> list[Tensor]:
        x = features.float().requires_grad_()
        adapter.zero_grad()
        with torch.autocast("cpu", torch.float16, enabled=enabled):
            total = immediate_backward(
                [lambda s: [1e-9 * adapter(s[0]).square().sum()]], [x], adapter.parameters()
            )
        total.backward()
        gradients = [x.grad, *(p.grad for p in adapter.parameters())]
        return [gradient.clone() for gradient in gradients if gradient is not None]

    plain = found(False)
    assert all(gradient.abs().max() > 0 for gradient in plain)
    for mixed, full in zip(found(True), plain, strict=True):
        torch.testing.assert_close(mixed, full, rtol=1e-6, atol=0)
