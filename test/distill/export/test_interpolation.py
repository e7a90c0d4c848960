from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from distill.export.interpolation import bilinear, is_identity, parts, support, upsampling


@pytest.mark.parametrize(("source", "target"), [(5, 17), (17, 5), (216, 1080), (1, 4), (7, 7), (12, 1)])
def test_a_matrix_is_pytorchs_resizing(source: int, target: int) -> None:
    signal = torch.randn(1, 1, 1, source, dtype=torch.float64)
    expected = F.interpolate(signal, (1, target), mode="bilinear", align_corners=False).flatten()
    matrix = bilinear(source, target)
    np.testing.assert_allclose(matrix @ signal.flatten().numpy(), expected.numpy(), atol=1e-12)
    np.testing.assert_allclose(matrix.sum(axis=1), 1)
    assert (np.count_nonzero(matrix, axis=1) <= 2).all()


def test_steps_multiply_exactly() -> None:
    logits, padded, before, working, image = 32, 128, 13, 97, 121
    signal = torch.randn(1, 1, 1, logits, dtype=torch.float64)
    seen = F.interpolate(signal, (1, padded), mode="bilinear", align_corners=False)
    cropped = seen[..., before : before + working]
    expected = F.interpolate(cropped, (1, image), mode="bilinear", align_corners=False).flatten()
    matrix = upsampling(logits, padded, before, working, image)
    np.testing.assert_allclose(matrix @ signal.flatten().numpy(), expected.numpy(), atol=1e-12)


def test_support_is_where_entries_are() -> None:
    matrix = bilinear(216, 1080)[500:568]
    first, last = support(matrix)
    assert not matrix[:, :first].any()
    assert not matrix[:, last:].any()
    assert matrix[:, first].any()
    assert matrix[:, last - 1].any()
    assert last - first < 17


def test_parts_cover_everything_once() -> None:
    assert parts(7, 3) == [(0, 2), (2, 4), (4, 7)]
    assert parts(3, 1) == [(0, 3)]


def test_identity() -> None:
    assert is_identity(bilinear(9, 9))
    assert not is_identity(bilinear(9, 9)[:8])
    assert not is_identity(2 * bilinear(9, 9))
