"""The losses that compare maps element by element (L1, L2, Huber, smooth L1) against NumPy."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from distill.losses.huber import huber_loss
from distill.losses.l1 import l1_loss
from distill.losses.l2 import l2_loss
from distill.losses.smooth_l1 import smooth_l1_loss

RNG = np.random.default_rng(0)
STUDENT = RNG.normal(size=(2, 3, 4, 5))
TEACHER = RNG.normal(size=(2, 3, 4, 5))
Loss = Callable[..., torch.Tensor]


def huber(d: NDArray[np.float64], beta: float) -> NDArray[np.float64]:
    return np.where(np.abs(d) <= beta, d**2 / 2, beta * (np.abs(d) - beta / 2))


def smooth_l1(d: NDArray[np.float64], beta: float) -> NDArray[np.float64]:
    return np.where(np.abs(d) <= beta, d**2 / (2 * beta), np.abs(d) - beta / 2)


DIFFERENCE = STUDENT - TEACHER
# The loss, its options, and its value at every element.
CASES: Final[list[tuple[Loss, dict[str, Any], NDArray[np.float64]]]] = [
    (l1_loss, {}, np.abs(DIFFERENCE)),
    (l2_loss, {}, np.square(DIFFERENCE)),
    (huber_loss, {}, huber(DIFFERENCE, 1.0)),
    *[(huber_loss, {"beta": beta}, huber(DIFFERENCE, beta)) for beta in (0.3, 1.0, 2.0)],
    (smooth_l1_loss, {}, smooth_l1(DIFFERENCE, 2.0)),
    *[(smooth_l1_loss, {"beta": beta}, smooth_l1(DIFFERENCE, beta)) for beta in (0.3, 1.0, 2.0)],
]
every_loss = pytest.mark.parametrize("loss", [l1_loss, l2_loss, huber_loss, smooth_l1_loss])


@pytest.mark.parametrize(("loss", "options", "elements"), CASES)
def test_is_the_mean_over_every_element(
    loss: Loss, options: dict[str, Any], elements: NDArray[np.float64]
) -> None:
    value = loss(torch.from_numpy(STUDENT), torch.from_numpy(TEACHER), **options)
    assert value.item() == pytest.approx(elements.sum() / (2 * 3 * 4 * 5), rel=1e-12)


@pytest.mark.parametrize(("loss", "limit"), [(huber_loss, 1.0), (smooth_l1_loss, 2.0)])
def test_the_limit_unless_given(loss: Loss, limit: float) -> None:
    maps = torch.from_numpy(STUDENT), torch.from_numpy(TEACHER)
    assert loss(*maps) == loss(*maps, beta=limit)
    assert loss(*maps) != loss(*maps, beta=0.5)


@every_loss
def test_gradient_equals_finite_differences(loss: Loss) -> None:
    teacher = torch.from_numpy(TEACHER)
    student = torch.from_numpy(STUDENT).requires_grad_()
    assert torch.autograd.gradcheck(lambda s: loss(s, teacher), student)


def test_gradient_of_l2_is_twice_the_difference_over_the_count() -> None:
    student = torch.from_numpy(STUDENT).requires_grad_()
    l2_loss(student, torch.from_numpy(TEACHER)).backward()
    assert student.grad is not None
    np.testing.assert_allclose(student.grad.numpy(), 2 * DIFFERENCE / STUDENT.size)


@every_loss
def test_is_zero_at_equality(loss: Loss) -> None:
    assert loss(torch.from_numpy(STUDENT), torch.from_numpy(STUDENT)).item() == 0


@every_loss
def test_shapes_that_would_broadcast_are_refused_and_named(loss: Loss) -> None:
    with pytest.raises(ValueError, match=r"\(2, 3, 4, 5\).*\(2, 3, 1, 1\)"):
        loss(torch.from_numpy(STUDENT), torch.zeros(2, 3, 1, 1))
