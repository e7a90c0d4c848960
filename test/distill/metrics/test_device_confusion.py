"""The confusion matrix counted in PyTorch against the one counted in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from distill.metrics.confusion import confusion_matrix
from distill.metrics.device_confusion import DeviceConfusion

CPU = torch.device("cpu")


@given(seed=st.integers(0, 2**32 - 1), classes=st.integers(2, 21), images=st.integers(0, 3))
def test_it_is_that_of_numpy(seed: int, classes: int, images: int) -> None:
    rng = np.random.default_rng(seed)
    counted = DeviceConfusion(classes)
    expected = np.zeros((classes, classes + 1), np.int64)
    for _ in range(images):
        labels, mask = rng.choice([*range(classes), 255], (2, 5, 7)).astype(np.uint8)
        counted.update(torch.from_numpy(labels), torch.from_numpy(mask))
        expected += confusion_matrix(labels, mask, classes)
    result = counted.matrix(counted.counts(CPU))
    assert result.dtype == np.int64
    assert np.array_equal(result, expected)


def test_counts_of_several_processes_add_up() -> None:
    first, second, none = DeviceConfusion(2), DeviceConfusion(2), DeviceConfusion(2)
    first.update(torch.tensor([0, 1]), torch.tensor([0, 1]))
    second.update(torch.tensor([0, 255]), torch.tensor([1, 1]))
    counts = first.counts(CPU) + second.counts(CPU) + none.counts(CPU)
    assert first.matrix(counts).tolist() == [[1, 1, 0], [0, 1, 0]]


@pytest.mark.parametrize("value", [-1, 3, 254, 256])
def test_other_values_are_refused(value: int) -> None:
    for labels, mask, who in ((value, 0, "labels"), (0, value, "predictions")):
        counted = DeviceConfusion(3)
        counted.update(torch.tensor([0, labels]), torch.tensor([0, mask]))
        with pytest.raises(ValueError, match=f"{who} hold values other than 0…2 and 255"):
            counted.matrix(counted.counts(CPU))


def test_masks_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in shape"):
        DeviceConfusion(3).update(torch.zeros(2, 3), torch.zeros(3, 2))
