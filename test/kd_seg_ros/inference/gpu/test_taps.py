from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from distill.export.interpolation import bilinear, upsampling
from kd_seg_ros.inference.gpu.taps import Taps, bilinear_taps, upsampling_taps


def matrix(taps: Taps, source: int) -> NDArray[np.float64]:
    """Write a table as a matrix [N, source]; fails where it reads outside the source."""
    found = np.zeros((len(taps.first), source))
    for row, (first, weights) in enumerate(zip(taps.first, taps.weights, strict=True)):
        assert 0 <= first <= source - taps.count
        found[row, first : first + taps.count] = weights
    return found


@pytest.mark.parametrize(
    ("source", "target"), [(5, 17), (17, 5), (216, 1080), (1, 4), (7, 7), (12, 1), (2, 3)]
)
def test_one_resizing_is_the_model_files(source: int, target: int) -> None:
    taps = bilinear_taps(source, target)
    np.testing.assert_allclose(matrix(taps, source), bilinear(source, target), atol=1e-12)
    assert taps.count == (1 if source in (1, target) else 2)


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 60), st.integers(1, 64), st.integers(1, 90), st.data())
def test_two_resizings_and_a_crop_are_the_model_files(
    logits: int, working: int, multiple: int, image: int, data: st.DataObject
) -> None:
    padded = working + -working % multiple
    before = data.draw(st.integers(0, padded - working))
    taps = upsampling_taps(logits, padded, before, working, image)
    expected = upsampling(logits, padded, before, working, image)
    np.testing.assert_allclose(matrix(taps, logits), expected, atol=1e-12)


def test_a_plain_stride_reads_two_samples_and_a_scaled_camera_three() -> None:
    assert upsampling_taps(270, 1080, 0, 1080, 1080).count == 2
    assert upsampling_taps(288, 1152, 36, 1080, 1080).count == 2
    assert upsampling_taps(216, 864, 0, 864, 1080).count <= 3
