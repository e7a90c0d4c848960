"""Gradients clipped while a scaler's factor is still in them, and Adam's state from before it was fused."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from distill.training.optimiser import clip_gradients, use_fused


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
