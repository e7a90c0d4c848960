"""Cross-image relations against SciPy's relative entropy, row by row."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from loss_values import assert_finite
from scipy.special import rel_entr, softmax
from sklearn.metrics.pairwise import cosine_similarity

from distill.losses.cross_image import cross_image_loss


def features(seed: int, channels: int = 3, batch: int = 3) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(batch, channels, 2, 4)))


def reference(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> float:
    """Mean over ordered pairs of images and rows."""
    s = student.numpy().reshape(*student.shape[:2], -1)
    t = teacher.numpy().reshape(*teacher.shape[:2], -1)
    divergences = []
    for i, j in np.ndindex(len(s), len(s)):
        p = softmax(cosine_similarity(t[i].T, t[j].T) / temperature, axis=1)
        q = softmax(cosine_similarity(s[i].T, s[j].T) / temperature, axis=1)
        divergences.append(rel_entr(p, q).sum(axis=1))
    return float(np.mean(divergences))


@pytest.mark.parametrize("temperature", [0.1, 1.0])
@pytest.mark.parametrize("channels", [3, 7])
def test_is_the_mean_relative_entropy_of_all_rows(channels: int, temperature: float) -> None:
    student, teacher = features(1), features(2, channels)
    value = cross_image_loss(student, teacher, temperature)
    assert value.item() == pytest.approx(reference(student, teacher, temperature), rel=1e-9)


def test_temperature_is_a_tenth_by_default() -> None:
    expected = reference(features(1), features(2), 0.1)
    assert cross_image_loss(features(1), features(2)).item() == pytest.approx(expected, rel=1e-9)


def test_a_batch_of_one_compares_the_image_with_itself() -> None:
    student, teacher = features(1, batch=1), features(2, batch=1)
    expected = reference(student, teacher, 0.1)
    assert expected > 0
    assert cross_image_loss(student, teacher).item() == pytest.approx(expected, rel=1e-9)


def test_other_images_count() -> None:
    """Every image looks right by itself, yet the second is turned: only the relation between them differs."""
    teacher = features(1, batch=2)
    student = teacher.clone()
    student[1] = -student[1]
    alone = [cross_image_loss(student[i : i + 1], teacher[i : i + 1]).item() for i in (0, 1)]
    assert alone == pytest.approx([0, 0], abs=1e-12)
    assert cross_image_loss(student, teacher).item() > 0.1


def test_large_maps_are_averaged_to_at_most_32() -> None:
    """65 on the longer side: squares of 3, smaller ones at the right and bottom edges."""
    generator = np.random.default_rng(5)
    student = torch.from_numpy(generator.normal(size=(1, 3, 7, 65)))
    teacher = torch.from_numpy(generator.normal(size=(1, 4, 7, 65)))
    assert averaged_squares(student).shape == (1, 3, 1, 66)
    expected = reference(averaged_squares(student), averaged_squares(teacher), 0.1)
    assert cross_image_loss(student, teacher).item() == pytest.approx(expected, rel=1e-9)


def averaged_squares(features: torch.Tensor) -> torch.Tensor:
    """Means of 3×3 squares of [1, C, 7, 65], one after the other: [1, C, 1, 66]."""
    means = []
    for y in range(0, 7, 3):
        for x in range(0, 65, 3):
            means.append(features[:, :, y : y + 3, x : x + 3].mean((2, 3)))
    return torch.stack(means, dim=2)[:, :, None]


@settings(max_examples=30)
@given(seed=st.integers(0, 1000), student_scale=st.floats(1e-3, 1e3), teacher_scale=st.floats(1e-3, 1e3))
def test_scale_and_order_change_nothing(seed: int, student_scale: float, teacher_scale: float) -> None:
    student, teacher = features(seed), features(seed + 1, 4)
    value = cross_image_loss(student, teacher).item()
    assert 0 < value <= 40
    changed = cross_image_loss(student_scale * student.flip(1), teacher_scale * teacher)
    assert changed.item() == pytest.approx(value, rel=1e-6)
    reordered = cross_image_loss(student[[2, 0, 1]], teacher[[2, 0, 1]])
    assert reordered.item() == pytest.approx(value, rel=1e-9)
    assert cross_image_loss(student, student).item() == pytest.approx(0, abs=1e-12)


def test_gradient_equals_finite_differences() -> None:
    teacher = features(2, 4, batch=2)
    student = features(1, batch=2).requires_grad_()
    assert torch.autograd.gradcheck(lambda s: cross_image_loss(s, teacher), student)


@pytest.mark.parametrize("scale", [0.0, 1e-30, 65504.0])
def test_zeros_and_extremes_have_finite_values_and_gradients(scale: float) -> None:
    student = (scale * torch.randn(2, 3, 4, 5)).requires_grad_()
    value = cross_image_loss(student, torch.randn(2, 3, 4, 5))
    assert_finite(value, student)


def test_sizes_that_differ_are_named() -> None:
    with pytest.raises(ValueError, match=r"\(3, 3, 2, 4\).*\(3, 5, 2, 3\)"):
        cross_image_loss(features(1), features(2, 5)[..., :3])
