"""Counts by threshold, against loops over single pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.metrics.risk_counts import count_risk
from kd_seg_ros.inference.risk import KINDS, Kind

CLASSES = 4


@given(seed=st.integers(0, 1000), kind=st.sampled_from(KINDS), members=st.sets(st.integers(0, CLASSES - 1)))
def test_every_threshold_counts_what_a_loop_over_pixels_counts(
    seed: int, kind: Kind, members: set[int]
) -> None:
    rng = np.random.default_rng(seed)
    mask, labels = rng.integers(0, CLASSES, (2, 5, 7)).astype(np.uint8)
    confidence = rng.integers(0, 256, (5, 7)).astype(np.uint8)
    labels[rng.random((5, 7)) < 0.2] = 255
    group = np.zeros(256, bool)
    group[list(members)] = True
    counts = count_risk(mask, confidence, labels, group, kind)

    pixels = list(zip(mask.flat, confidence.flat, labels.flat, strict=True))
    pixels = [pixel for pixel in pixels if pixel[2] != 255]
    in_group = sum(label in members for _, _, label in pixels)
    assert counts.group == in_group
    for level in (0, 1, 100, 255, 256):
        kept = [p for p in pixels if p[1] >= level and (p[0] in members) == (kind == "false")]
        wrong = [p for p in kept if (p[2] in members) != (kind == "false")]
        assert (counts.kept[level], counts.wrong[level]) == (len(kept), len(wrong))
        whole = len(kept) if kind == "false" else in_group
        assert counts.losses(kind)[level] == (len(wrong) / whole if whole else 0)
    assert counts.applies(kind) == bool(counts.kept[0] if kind == "false" else in_group)


@pytest.mark.parametrize("kind", KINDS)
def test_the_last_threshold_keeps_nothing(kind: Kind) -> None:
    sure = np.full((2, 2), 255, np.uint8)
    group = np.arange(256) == 1
    counts = count_risk(np.ones((2, 2), np.uint8), sure, np.zeros((2, 2), np.uint8), group, kind)
    assert counts.kept[256] == counts.wrong[256] == 0
    assert counts.losses(kind)[256] == 0
