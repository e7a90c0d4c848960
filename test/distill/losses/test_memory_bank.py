"""The memory bank's loss against SciPy's relative entropy, position by position."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from loss_values import assert_finite
from numpy.typing import NDArray
from scipy.special import rel_entr, softmax

from distill.losses.embedding_memory import EmbeddingMemory
from distill.losses.memory_bank import memory_bank_loss

Array = NDArray[np.float64]
CLASSES = 3
LABELS = torch.tensor([[[0, 0, 1, 255], [2, 1, 1, 0]], [[255, 1, 1, 1], [1, 1, 255, 0]]])


def features(seed: int, *, channels: int = 4, size: tuple[int, int] = (2, 4)) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(2, channels, *size)))


def filled_memory() -> EmbeddingMemory:
    """A memory of two other batches, whose pixels' rings are full and whose regions' are not."""
    memory = EmbeddingMemory(CLASSES, 4, pixels=4, regions=7, pixels_per_image=3)
    for seed in (11, 12):
        memory.remember(features(seed), LABELS)
    return memory


def unit(values: Array) -> Array:
    normed: Array = values / np.linalg.norm(values, axis=-1, keepdims=True)
    return normed


def reference(student: Array, teacher: Array, groups: list[Array], temperature: float = 0.1) -> float:
    """Mean over the labelled positions of the divergence from each group of vectors [n, C]."""
    divergences = []
    for b, y, x in np.argwhere(LABELS.numpy() != 255):
        total = 0.0
        for vectors in groups:
            p = softmax(vectors @ unit(teacher[b, :, y, x]) / temperature)
            q = softmax(vectors @ unit(student[b, :, y, x]) / temperature)
            total += rel_entr(p, q).sum()
        divergences.append(total)
    return float(np.mean(divergences))


def of_this_batch(teacher: Array) -> list[Array]:
    """What a batch leaves in an empty memory: all labelled positions, and the mean direction per class."""
    pixels, regions = [], []
    for b in range(2):
        for c in range(CLASSES):
            there = LABELS[b].numpy() == c
            if there.any():
                own = unit(teacher[b][:, there].T)
                pixels += list(own)
                regions.append(unit(own.mean(0)))
    return [np.array(pixels), np.array(regions)]


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_alone_a_batch_is_compared_with_itself(temperature: float) -> None:
    student, teacher = features(1), features(2)
    value = memory_bank_loss(student, teacher, LABELS, CLASSES, temperature)
    expected = reference(student.numpy(), teacher.numpy(), of_this_batch(teacher.numpy()), temperature)
    assert value.item() == pytest.approx(expected, rel=1e-9)


def test_with_a_memory_it_is_compared_with_what_that_holds() -> None:
    student, teacher, memory = features(1), features(2), filled_memory()
    groups = [vectors[there].numpy() for vectors, there in memory.contrasts()]
    assert [len(vectors) for vectors in groups] == [4 + 4 + 2, 4 + 4 + 2]  # class 2 is one pixel of one image
    value = memory_bank_loss(student, teacher, LABELS, CLASSES, memory=memory)
    assert value.item() == pytest.approx(reference(student.numpy(), teacher.numpy(), groups), rel=1e-9)


def test_computing_the_loss_changes_no_memory() -> None:
    memory = filled_memory()
    before = {name: tensor.clone() for name, tensor in memory.state_dict().items()}
    memory_bank_loss(features(1), features(2), LABELS, CLASSES, memory=memory)
    assert all(torch.equal(tensor, before[name]) for name, tensor in memory.state_dict().items())


def test_of_large_maps_every_kth_position_counts() -> None:
    """70 on the longer side: every third, from the second on; the others may be anything."""
    size = (5, 70)
    student, teacher = features(1, size=size), features(2, size=size)
    labels = torch.zeros(2, *size, dtype=torch.long)
    memory = filled_memory()
    value = memory_bank_loss(student, teacher, labels, CLASSES, memory=memory)
    expected = memory_bank_loss(
        student[..., 1::3, 1::3], teacher[..., 1::3, 1::3], labels[:, 1::3, 1::3], CLASSES, memory=memory
    )
    assert value.item() == pytest.approx(expected.item(), rel=1e-12)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), scale=st.floats(1e-3, 1e3))
def test_scale_changes_nothing(seed: int, scale: float) -> None:
    student, teacher = features(seed), features(seed + 1)
    value = memory_bank_loss(student, teacher, LABELS, CLASSES).item()
    assert 0 < value <= 80
    changed = memory_bank_loss(scale * student, 2 * teacher, LABELS, CLASSES)
    assert changed.item() == pytest.approx(value, rel=1e-6)
    assert memory_bank_loss(teacher, teacher, LABELS, CLASSES).item() == pytest.approx(0, abs=1e-12)


def test_gradient_equals_finite_differences() -> None:
    teacher, memory = features(2), filled_memory()
    student = features(1).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda s: memory_bank_loss(s, teacher, LABELS, CLASSES, memory=memory), student
    )


@pytest.mark.parametrize("remembered", [False, True])
def test_without_labels_it_is_zero_with_gradient_zero(remembered: bool) -> None:
    student, labels = features(1).requires_grad_(), torch.full_like(LABELS, 255)
    memory = filled_memory() if remembered else None
    value = memory_bank_loss(student, features(2), labels, CLASSES, memory=memory)
    value.backward()
    assert value.item() == 0
    assert student.grad is not None
    assert not student.grad.any()


@pytest.mark.parametrize("scale", [0.0, 1e-30, 65504.0])
def test_zeros_and_extremes_have_finite_values_and_gradients(scale: float) -> None:
    student = (scale * torch.randn(2, 4, 2, 4)).requires_grad_()
    value = memory_bank_loss(student, torch.randn(2, 4, 2, 4), LABELS, CLASSES, temperature=0.01)
    assert_finite(value, student)


def test_shapes_that_differ_are_named() -> None:
    with pytest.raises(ValueError, match=r"\(2, 4, 2, 4\).*\(2, 5, 2, 4\)"):
        memory_bank_loss(features(1), features(2, channels=5), LABELS, CLASSES)
