"""Self-similarity between four nodes against scikit-learn's cosine similarity."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics.pairwise import cosine_similarity

from distill.losses.self_similarity_nodes import self_similarity_nodes_loss


def features(seed: int, channels: int = 3, size: tuple[int, int] = (4, 6)) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(2, channels, *size)))


def similarities(features: torch.Tensor) -> NDArray[np.float64]:
    """[B, N, N] of the maxima over half the height and half the width, and over what is left of odd sides."""
    values = features.numpy()
    height, width = values.shape[2] // 2, values.shape[3] // 2
    blocks = []
    for y in range(0, values.shape[2], height):
        for x in range(0, values.shape[3], width):
            blocks.append(values[:, :, y : y + height, x : x + width].max(axis=(2, 3)))
    return np.stack([cosine_similarity(image.T) for image in np.stack(blocks, axis=2)])


@pytest.mark.parametrize("size", [(4, 6), (5, 6), (2, 2)])
@pytest.mark.parametrize("channels", [1, 3, 20])
def test_is_the_mean_square_difference_of_the_nodes_similarities(
    channels: int, size: tuple[int, int]
) -> None:
    student, teacher = features(1, 3, size), features(2, channels, size)
    nodes = similarities(student)
    assert nodes.shape[1] == (6 if size == (5, 6) else 4)
    expected = ((nodes - similarities(teacher)) ** 2).mean()
    assert self_similarity_nodes_loss(student, teacher).item() == pytest.approx(expected, rel=1e-9)


def test_in_the_gradient_the_lengths_are_constants() -> None:
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
def test_zeros_and_extremes_have_finite_values_and_gradients(scale: float) -> None:
    student = (scale * torch.randn(2, 3, 4, 5)).requires_grad_()
    value = self_similarity_nodes_loss(student, torch.randn(2, 3, 4, 5))
    value.backward()
    assert torch.isfinite(value)
    assert student.grad is not None
    assert torch.isfinite(student.grad).all()


def test_maps_of_one_pixel_are_alike() -> None:
    one = torch.randn(2, 3, 1, 1)
    assert self_similarity_nodes_loss(one, torch.randn(2, 5, 1, 1)).item() == pytest.approx(0, abs=1e-12)


def test_sizes_that_differ_are_named() -> None:
    with pytest.raises(ValueError, match=r"\(2, 3, 4, 6\).*\(1, 3, 4, 6\)"):
        self_similarity_nodes_loss(features(1), features(2)[:1])
