"""Intra-class feature variation against SciPy's cosine and a loop over classes."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from loss_values import assert_finite
from scipy.spatial.distance import cosine

from distill.losses.intra_class import intra_class_loss

IGNORE = 255


def features(seed: int, channels: int = 4) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(2, channels, 3, 5)))


def labels(seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).choice([0, 1, 18, IGNORE], size=(2, 3, 5)))


def variation(features: torch.Tensor, labels: torch.Tensor) -> list[float]:
    """Cosine to the class centroid, image by image, class by class."""
    cosines = []
    for image, classes in zip(features.numpy(), labels.numpy(), strict=True):
        for c in sorted(set(classes.ravel()) - {IGNORE}):
            pixels = image[:, classes == c].T
            cosines += [1 - cosine(pixel, pixels.mean(axis=0)) for pixel in pixels]
    return cosines


def reference(student: torch.Tensor, teacher: torch.Tensor, labels: torch.Tensor) -> float:
    difference = np.subtract(variation(student, labels), variation(teacher, labels))
    return float((difference**2).mean())


@pytest.mark.parametrize("channels", [2, 4, 9])
def test_is_the_mean_square_difference_of_cosines_to_the_centroid(channels: int) -> None:
    student, teacher = features(1), features(2, channels)
    expected = reference(student, teacher, labels())
    assert intra_class_loss(student, teacher, labels()).item() == pytest.approx(expected, rel=1e-9)


def test_a_pixels_label_is_the_one_at_its_centre() -> None:
    """Labels three times as fine: only the middle one of each 3×3 is read."""
    fine = torch.randint(0, 19, (2, 9, 15), generator=torch.Generator().manual_seed(1))
    fine[:, 1::3, 1::3] = labels()
    expected = intra_class_loss(features(1), features(2), labels())
    torch.testing.assert_close(intra_class_loss(features(1), features(2), fine), expected)
    byte = intra_class_loss(features(1), features(2), fine.to(torch.uint8))
    torch.testing.assert_close(byte, expected)


def test_ignored_pixels_count_nowhere() -> None:
    changed = features(1).where((labels() != IGNORE)[:, None], 1e3)
    value = intra_class_loss(changed, features(2), labels())
    torch.testing.assert_close(value, intra_class_loss(features(1), features(2), labels()))


def test_all_ignored_is_zero_with_zero_gradient() -> None:
    student = features(1).requires_grad_()
    value = intra_class_loss(student, features(2), torch.full((2, 3, 5), IGNORE))
    value.backward()
    assert value.item() == 0
    assert student.grad is not None
    assert (student.grad == 0).all()


@given(seed=st.integers(0, 1000), student_scale=st.floats(1e-3, 1e3), teacher_scale=st.floats(1e-3, 1e3))
def test_scale_and_order_of_channels_and_names_of_classes_change_nothing(
    seed: int, student_scale: float, teacher_scale: float
) -> None:
    student, teacher, target = features(seed), features(seed + 1, 6), labels(seed)
    value = intra_class_loss(student, teacher, target).item()
    assert 0 <= value <= 4
    assert intra_class_loss(student, student, target).item() == 0
    renamed = target.where(target != 18, 7)
    changed = intra_class_loss(student_scale * student.flip(1), teacher_scale * teacher, renamed)
    assert changed.item() == pytest.approx(value, rel=1e-9, abs=1e-15)


def test_gradient_equals_finite_differences() -> None:
    student = features(1).requires_grad_()
    assert torch.autograd.gradcheck(lambda s: intra_class_loss(s, features(2, 6), labels()), student)


@pytest.mark.parametrize("scale", [0.0, 1e-30, 65504.0])
def test_zeros_and_extremes_have_finite_values_and_gradients(scale: float) -> None:
    student = (scale * torch.randn(2, 4, 3, 5)).requires_grad_()
    value = intra_class_loss(student, torch.randn(2, 4, 3, 5), labels())
    assert_finite(value, student)


def test_shapes_that_differ_are_named() -> None:
    with pytest.raises(ValueError, match=r"student \(2, 4, 3, 5\) and teacher \(2, 4, 3, 4\)"):
        intra_class_loss(features(1), features(2)[..., :4], labels())
    for wrong in (labels()[:1], labels()[:, None]):
        with pytest.raises(ValueError, match=r"labels \(.*\(2, 4, 3, 5\)"):
            intra_class_loss(features(1), features(2), wrong)
