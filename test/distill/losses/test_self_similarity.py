"""Both self-similarities against scikit-learn's cosine similarity, with all N×N pairs written out."""

from collections.abc import Callable
from typing import Final

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from loss_values import assert_finite
from numpy.typing import NDArray
from sklearn.metrics.pairwise import cosine_similarity

from distill.losses.self_similarity import self_similarity_loss
from distill.losses.self_similarity_nodes import self_similarity_nodes_loss

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
Block = Callable[[int], int]


def features(seed: int, channels: int = 3, size: tuple[int, int] = (5, 6)) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(2, channels, *size)))


def two(_side: int) -> int:
    return 2


def half(side: int) -> int:
    return side // 2


LOSSES: Final[dict[Loss, Block]] = {self_similarity_loss: two, self_similarity_nodes_loss: half}
"""Side of the blocks that the maps are pooled by; what is left of odd sides is a block, too."""
every_loss = pytest.mark.parametrize("loss", LOSSES)


def similarities(features: torch.Tensor, loss: Loss) -> NDArray[np.float64]:
    """[B, N, N] of the maxima over the loss' blocks."""
    values = features.numpy()
    height, width = LOSSES[loss](values.shape[2]), LOSSES[loss](values.shape[3])
    blocks = []
    for y in range(0, values.shape[2], height):
        for x in range(0, values.shape[3], width):
            blocks.append(values[:, :, y : y + height, x : x + width].max(axis=(2, 3)))
    return np.stack([cosine_similarity(image.T) for image in np.stack(blocks, axis=2)])


@pytest.mark.parametrize("size", [(4, 6), (5, 6), (2, 2)])
@pytest.mark.parametrize("channels", [1, 3, 20])
@every_loss
def test_is_the_mean_square_difference_of_all_similarities(
    loss: Loss, channels: int, size: tuple[int, int]
) -> None:
    student, teacher = features(1, 3, size), features(2, channels, size)
    nodes = similarities(student, loss)
    counts = {two: {(4, 6): 6, (5, 6): 9, (2, 2): 1}, half: {(4, 6): 4, (5, 6): 6, (2, 2): 4}}
    assert nodes.shape[1] == counts[LOSSES[loss]][size]
    expected = ((nodes - similarities(teacher, loss)) ** 2).mean()
    assert loss(student, teacher).item() == pytest.approx(expected, rel=1e-9, abs=1e-15)


@every_loss
def test_nearly_equal_maps_keep_their_small_difference_in_fp32(loss: Loss) -> None:
    """In FP32 the terms that one of them subtracts, about 0.3 here, would be off by more than the value."""
    student = features(1)
    teacher = student + 1e-4 * features(2)
    expected = ((similarities(student, loss) - similarities(teacher, loss)) ** 2).mean()
    assert expected < 1e-7
    assert loss(student.float(), teacher.float()).item() == pytest.approx(expected, rel=1e-2)


@every_loss
@given(seed=st.integers(0, 1000), student_scale=st.floats(1e-3, 1e3), teacher_scale=st.floats(1e-3, 1e3))
def test_scale_and_order_of_channels_change_nothing(
    loss: Loss, seed: int, student_scale: float, teacher_scale: float
) -> None:
    student, teacher = features(seed), features(seed + 1, 4)
    value = loss(student, teacher).item()
    assert 0 < value <= 4
    changed = loss(student_scale * student[:, [2, 0, 1]], teacher_scale * teacher[:, [3, 1, 0, 2]])
    assert changed.item() == pytest.approx(value, rel=1e-9)
    assert loss(student, student).item() == pytest.approx(0, abs=1e-15)


@every_loss
def test_a_rotation_of_feature_space_changes_nothing_once_pooled(loss: Loss) -> None:
    """Blocks of equal pixels are their own maxima: what is left depends on angles alone."""
    size = (2, 3) if loss is self_similarity_loss else (2, 2)
    blocks = features(3)[:, :, : size[0], : size[1]].repeat_interleave(2, 2).repeat_interleave(2, 3)
    rotation, _ = np.linalg.qr(np.random.default_rng(4).normal(size=(3, 3)))
    rotated = torch.einsum("dc,bchw->bdhw", torch.from_numpy(rotation), blocks)
    assert loss(blocks, rotated).item() == pytest.approx(0, abs=1e-15)


def test_gradient_equals_finite_differences() -> None:
    teacher = features(2, 4)
    assert torch.autograd.gradcheck(lambda s: self_similarity_loss(s, teacher), features(1).requires_grad_())


def test_in_the_gradient_between_nodes_the_lengths_are_constants() -> None:
    """Of two nodes a and b that differ from the teacher's, with a·b/(|a|·|b|) = c: ∂c/∂a = b/(|a|·|b|)."""
    student = torch.tensor([[[[3.0, 1.0]], [[4.0, 2.0]]]]).requires_grad_()
    teacher = torch.tensor([[[[1.0, 0.0]], [[0.0, 1.0]]]])
    value = self_similarity_nodes_loss(student, teacher)
    cosine = 11 / (5 * 5**0.5)
    assert value.item() == pytest.approx(2 * cosine**2 / 4)
    value.backward()
    assert student.grad is not None
    # The diagonal's a·a/|a|² is 1 in both, so that only c, which occurs twice among four pairs, matters.
    a, b = torch.tensor([3.0, 4.0]), torch.tensor([1.0, 2.0])
    expected = torch.stack([cosine * b, cosine * a], dim=1) / (5 * 5**0.5)
    torch.testing.assert_close(student.grad[0, :, 0], expected)


@pytest.mark.parametrize("scale", [0.0, 1e-30, 65504.0])
@every_loss
def test_zeros_and_extremes_have_finite_values_and_gradients(loss: Loss, scale: float) -> None:
    student = (scale * torch.randn(2, 3, 4, 5)).requires_grad_()
    value = loss(student, torch.randn(2, 3, 4, 5))
    assert_finite(value, student)


@every_loss
def test_maps_of_one_pixel_are_alike(loss: Loss) -> None:
    one = torch.randn(2, 3, 1, 1)
    assert loss(one, torch.randn(2, 5, 1, 1)).item() == pytest.approx(0, abs=1e-12)


@every_loss
def test_sizes_that_differ_are_named(loss: Loss) -> None:
    with pytest.raises(ValueError, match=r"\(2, 3, 5, 6\).*\(1, 3, 5, 6\)"):
        loss(features(1), features(2)[:1])
