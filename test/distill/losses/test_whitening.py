"""Whitening against scikit-learn's scaler."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import scale

from distill.losses.whitening import whiten


def features(seed: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(3, 9, size=(2, 6, 3, 4)))


def test_is_scikit_learns_scaling_of_every_pixels_channels() -> None:
    pixels = features(1).numpy().transpose(0, 2, 3, 1).reshape(-1, 6)
    expected = scale(pixels, axis=1).reshape(2, 3, 4, 6).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(whiten(features(1)).numpy(), expected, atol=1e-5)


@given(seed=st.integers(0, 1000), factor=st.floats(0.5, 1e3), shift=st.floats(-50, 50))
def test_a_teachers_magnitude_changes_nothing(seed: int, factor: float, shift: float) -> None:
    torch.testing.assert_close(
        whiten(factor * features(seed) + shift), whiten(features(seed)), rtol=0, atol=1e-4
    )


def test_equal_channels_become_zeros() -> None:
    assert (whiten(torch.full((1, 4, 2, 2), 7.0)) == 0).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_features_are_whitened_in_fp32(dtype: torch.dtype) -> None:
    half = features(1).to(dtype)
    with torch.autocast("cpu", dtype=dtype):
        value = whiten(half)
    torch.testing.assert_close(value, whiten(half.float()), rtol=0, atol=0)


def test_the_ends_of_fp16_stay_finite() -> None:
    extreme = (1e5 * torch.randn(1, 4, 2, 2)).clamp(-65504, 65504).half()
    assert whiten(extreme).abs().max() <= 2


def test_no_gradient_flows_back() -> None:
    assert not whiten(features(1).requires_grad_()).requires_grad


def test_other_shapes_are_named() -> None:
    with pytest.raises(ValueError, match=r"\(6, 3, 4\)"):
        whiten(features(1)[0])
