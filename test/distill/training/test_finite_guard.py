"""Losses that are not finite stop training late, but with the step at fault."""

from __future__ import annotations

import pytest
import torch

from distill.training.finite_guard import FiniteGuard, Step
from kd_seg_ros.common.errors import UserError

FINE = torch.tensor([2.0, 1.0, 1.0])
NAMES = ["loss", "semantic", "kl"]


def step(number: int) -> Step:
    return Step(number, epoch=number // 10, files=[f"frame{number}.png"])


@pytest.mark.parametrize("lag", [0, 1, 3])
def test_the_step_at_fault_is_named_some_steps_later(lag: int) -> None:
    guard = FiniteGuard(lag)
    for number in range(12):
        guard.watch(NAMES, FINE, step(number))
    guard.finish()
    *before, last = [torch.tensor([float("nan"), 1.0, float("inf")]), *[FINE] * lag]
    for number, each in enumerate(before):
        guard.watch(NAMES, each, step(12 + number))
    with pytest.raises(UserError, match=r"at step 12, epoch 1: the loss term kl is not .* frame12\.png;"):
        guard.watch(NAMES, last, step(12 + lag))


def test_nothing_is_raised_before_it_is_looked_at_and_nothing_is_forgotten() -> None:
    guard = FiniteGuard(lag=2)
    guard.watch(NAMES, FINE, step(0))
    guard.watch(NAMES, torch.full((3,), float("inf")), step(1))
    with pytest.raises(UserError, match=r"at step 1, .* the loss term semantic, kl is not finite"):
        guard.finish()
    guard.finish()


def test_a_total_that_overflows_alone_is_called_so() -> None:
    with pytest.raises(UserError, match="the loss term total is not finite"):
        FiniteGuard().watch(NAMES, torch.tensor([float("inf"), 3e38, 3e38]), step(0))


def test_values_of_a_cpu_are_looked_at_at_once() -> None:
    with pytest.raises(UserError, match="at step 0"):
        FiniteGuard().watch(NAMES, torch.full((3,), float("nan")), step(0))
