"""L2 feature loss against NumPy."""

import numpy as np
import pytest
import torch

from distill.losses.l2 import l2_loss

RNG = np.random.default_rng(0)
STUDENT = RNG.normal(size=(2, 3, 4, 5))
TEACHER = RNG.normal(size=(2, 3, 4, 5))


def test_is_the_mean_over_every_element() -> None:
    value = l2_loss(torch.from_numpy(STUDENT), torch.from_numpy(TEACHER))
    assert value.item() == pytest.approx(np.square(STUDENT - TEACHER).sum() / (2 * 3 * 4 * 5), rel=1e-12)


def test_gradient_is_twice_the_difference_over_the_count() -> None:
    student = torch.from_numpy(STUDENT).requires_grad_()
    l2_loss(student, torch.from_numpy(TEACHER)).backward()
    assert student.grad is not None
    np.testing.assert_allclose(student.grad.numpy(), 2 * (STUDENT - TEACHER) / STUDENT.size)


def test_is_zero_at_equality() -> None:
    assert l2_loss(torch.from_numpy(STUDENT), torch.from_numpy(STUDENT)).item() == 0


def test_shapes_that_would_broadcast_are_refused_and_named() -> None:
    with pytest.raises(ValueError, match=r"\(2, 3, 4, 5\).*\(2, 3, 1, 1\)"):
        l2_loss(torch.from_numpy(STUDENT), torch.zeros(2, 3, 1, 1))
