"""L1 feature loss against NumPy."""

import numpy as np
import pytest
import torch

from distill.losses.l1 import l1_loss

RNG = np.random.default_rng(0)
STUDENT = RNG.normal(size=(2, 3, 4, 5))
TEACHER = RNG.normal(size=(2, 3, 4, 5))


def test_is_the_mean_over_every_element() -> None:
    d = STUDENT - TEACHER
    value = l1_loss(torch.from_numpy(STUDENT), torch.from_numpy(TEACHER))
    assert value.item() == pytest.approx(np.abs(d).sum() / (2 * 3 * 4 * 5), rel=1e-12)


def test_gradient_equals_finite_differences() -> None:
    teacher = torch.from_numpy(TEACHER)
    student = torch.from_numpy(STUDENT).requires_grad_()
    assert torch.autograd.gradcheck(lambda s: l1_loss(s, teacher), student)


def test_is_zero_at_equality() -> None:
    assert l1_loss(torch.from_numpy(STUDENT), torch.from_numpy(STUDENT)).item() == 0


def test_shapes_that_would_broadcast_are_refused_and_named() -> None:
    with pytest.raises(ValueError, match=r"\(2, 3, 4, 5\).*\(2, 3, 1, 1\)"):
        l1_loss(torch.from_numpy(STUDENT), torch.zeros(2, 3, 1, 1))
