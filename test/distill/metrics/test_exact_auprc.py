"""Exact AUPRC against scikit-learn's average_precision_score."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from distill.metrics.exact_auprc import KeptScores


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 1000), pixels=st.integers(1, 200), levels=st.sampled_from([1, 4, 1000]))
def test_equals_scikit_learn_with_ties_and_in_two_parts(seed: int, pixels: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    p = (rng.integers(0, levels + 1, (3, pixels)) / levels).astype(np.float32)
    labels = rng.integers(0, 3, pixels)
    cut = pixels // 2
    kept, other = KeptScores(3), KeptScores(3)
    kept.update(torch.from_numpy(p[:, :cut]), torch.from_numpy(labels[:cut]))
    other.update(torch.from_numpy(p[:, cut:]), torch.from_numpy(labels[cut:]))
    kept.merge(other)
    areas = kept.auprc()
    for c in range(3):
        if (labels == c).any():
            expected = average_precision_score(labels == c, p[c])
            assert areas[c] == pytest.approx(expected, abs=1e-9)
        else:
            assert np.isnan(areas[c])


def test_nothing_kept_is_undefined() -> None:
    assert np.isnan(KeptScores(2).auprc()).all()
