"""Self-similarity against scikit-learn's cosine similarity, with all N×N pairs written out."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics.pairwise import cosine_similarity

from distill.losses.self_similarity import self_similarity_loss


def features(seed: int, channels: int = 3) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(2, channels, 5, 6)))


def similarities(features: torch.Tensor) -> NDArray[np.float64]:
    """[B, N, N] of the 2×2 maxima; the fifth row has only itself to be compared with."""
    values = features.numpy()
    blocks = [values[:, :, y : y + 2, x : x + 2].max(axis=(2, 3)) for y in (0, 2, 4) for x in (0, 2, 4)]
    return np.stack([cosine_similarity(image.T) for image in np.stack(blocks, axis=2)])


@pytest.mark.parametrize("channels", [1, 3, 20])
def test_is_the_mean_square_difference_of_all_similarities(channels: int) -> None:
    student, teacher = features(1), features(2, channels)
    expected = ((similarities(student) - similarities(teacher)) ** 2).mean()
    assert self_similarity_loss(student, teacher).item() == pytest.approx(expected, rel=1e-9)


def test_nearly_equal_maps_keep_their_small_difference_in_fp32() -> None:
    """In FP32 the terms that are subtracted, about 0.3 here, would be off by more than the value."""
    student = features(1)
    teacher = student + 1e-4 * features(2)
    expected = ((similarities(student) - similarities(teacher)) ** 2).mean()
    assert expected < 1e-7
    value = self_similarity_loss(student.float(), teacher.float()).item()
    assert value == pytest.approx(expected, rel=1e-2)


@given(seed=st.integers(0, 1000), student_scale=st.floats(1e-3, 1e3), teacher_scale=st.floats(1e-3, 1e3))
def test_scale_and_order_of_channels_change_nothing(
    seed: int, student_scale: float, teacher_scale: float
) -> None:
    student, teacher = features(seed), features(seed + 1, 4)
    value = self_similarity_loss(student, teacher).item()
    assert 0 < value <= 4
    changed = self_similarity_loss(
        student_scale * student[:, [2, 0, 1]], teacher_scale * teacher[:, [3, 1, 0, 2]]
    )
    assert changed.item() == pytest.approx(value, rel=1e-9)
    assert self_similarity_loss(student, student).item() == pytest.approx(0, abs=1e-15)


def test_a_rotation_of_feature_space_changes_nothing_once_pooled() -> None:
    """Blocks of equal pixels are their own maxima: what is left depends on angles alone."""
    blocks = features(3)[:, :, :2, :3].repeat_interleave(2, 2).repeat_interleave(2, 3)
    rotation, _ = np.linalg.qr(np.random.default_rng(4).normal(size=(3, 3)))
    rotated = torch.einsum("dc,bchw->bdhw", torch.from_numpy(rotation), blocks)
    assert self_similarity_loss(blocks, rotated).item() == pytest.approx(0, abs=1e-15)


def test_gradient_equals_finite_differences() -> None:
    teacher = features(2, 4)
    assert torch.autograd.gradcheck(lambda s: self_similarity_loss(s, teacher), features(1).requires_grad_())


@pytest.mark.parametrize("scale", [0.0, 1e-30, 65504.0])
def test_zeros_and_extremes_have_finite_values_and_gradients(scale: float) -> None:
    student = (scale * torch.randn(2, 3, 4, 5)).requires_grad_()
    value = self_similarity_loss(student, torch.randn(2, 3, 4, 5))
    value.backward()
    assert torch.isfinite(value)
    assert student.grad is not None
    assert torch.isfinite(student.grad).all()


def test_maps_of_one_pixel_are_alike() -> None:
    one = torch.randn(2, 3, 1, 1)
    assert self_similarity_loss(one, torch.randn(2, 5, 1, 1)).item() == pytest.approx(0, abs=1e-12)


def test_sizes_that_differ_are_named() -> None:
    with pytest.raises(ValueError, match=r"\(2, 3, 5, 6\).*\(1, 3, 5, 6\)"):
        self_similarity_loss(features(1), features(2)[:1])
