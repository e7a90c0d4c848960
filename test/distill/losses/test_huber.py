"""Huber feature loss against NumPy."""

import numpy as np
import pytest
import torch

from distill.losses.huber import huber_loss

RNG = np.random.default_rng(0)
STUDENT = RNG.normal(size=(2, 3, 4, 5))
TEACHER = RNG.normal(size=(2, 3, 4, 5))


@pytest.mark.parametrize("beta", [0.3, 1.0, 2.0])
def test_is_the_mean_over_every_element(beta: float) -> None:
    d = STUDENT - TEACHER
    expected = np.where(np.abs(d) <= beta, d**2 / 2, beta * (np.abs(d) - beta / 2)).mean()
    value = huber_loss(torch.from_numpy(STUDENT), torch.from_numpy(TEACHER), beta=beta)
    assert value.item() == pytest.approx(expected, rel=1e-12)


def test_the_limit_is_1_unless_given() -> None:
    maps = torch.from_numpy(STUDENT), torch.from_numpy(TEACHER)
    assert huber_loss(*maps) == huber_loss(*maps, beta=1.0)
    assert huber_loss(*maps) != huber_loss(*maps, beta=0.5)


def test_gradient_equals_finite_differences() -> None:
    teacher = torch.from_numpy(TEACHER)
    student = torch.from_numpy(STUDENT).requires_grad_()
    assert torch.autograd.gradcheck(lambda s: huber_loss(s, teacher), student)


def test_is_zero_at_equality() -> None:
    assert huber_loss(torch.from_numpy(STUDENT), torch.from_numpy(STUDENT)).item() == 0


def test_shapes_that_would_broadcast_are_refused_and_named() -> None:
    with pytest.raises(ValueError, match=r"\(2, 3, 4, 5\).*\(2, 3, 1, 1\)"):
        huber_loss(torch.from_numpy(STUDENT), torch.zeros(2, 3, 1, 1))
