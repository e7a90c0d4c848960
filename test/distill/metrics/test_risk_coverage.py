"""AURC against sorting every pixel, as its definition says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import digamma

from distill.metrics.accumulator import Accumulator
from distill.metrics.mask_accumulator import MaskAccumulator
from distill.metrics.risk_coverage import _harmonic_number, risk_coverage


def aurc_by_sorting(confidence: np.ndarray, wrong: np.ndarray) -> float:
    """Mean over k of the share of wrong ones among the k most confident."""
    order = np.argsort(-confidence, kind="stable")
    return float((np.cumsum(wrong[order]) / np.arange(1, len(wrong) + 1)).mean())


def counted(level: np.ndarray, wrong: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.bincount(level, minlength=256), np.bincount(level[~wrong], minlength=256)


def test_without_ties_it_is_the_definition() -> None:
    rng = np.random.default_rng(0)
    level = rng.permutation(256)[:200]
    wrong = rng.random(200) < 0.3
    found = risk_coverage(*counted(level, wrong))
    assert found.aurc == pytest.approx(aurc_by_sorting(level, wrong), rel=1e-12)
    best = aurc_by_sorting(~wrong * 1.0, wrong)
    assert found.excess == pytest.approx(found.aurc - best, rel=1e-9)
    for threshold in (0, 100, 250):
        kept = level >= threshold
        assert found.coverage[threshold] == pytest.approx(kept.mean())
        assert found.risk[threshold] == pytest.approx(wrong[kept].mean())


def test_pixels_of_one_level_are_in_all_orders_on_average() -> None:
    """Mean over many random orders of the ties."""
    rng = np.random.default_rng(1)
    level, wrong = rng.integers(0, 4, 60), rng.random(60) < 0.4
    values = []
    for _ in range(4000):
        order = rng.permutation(60)
        values.append(aurc_by_sorting(level[order], wrong[order]))
    assert risk_coverage(*counted(level, wrong)).aurc == pytest.approx(np.mean(values), abs=1e-3)


def test_rounding_to_bytes_changes_little() -> None:
    rng = np.random.default_rng(2)
    confidence = rng.beta(5, 1, 50_000)
    wrong = rng.random(50_000) > confidence
    found = risk_coverage(*counted(np.round(255 * confidence).astype(int), wrong))
    assert found.aurc == pytest.approx(aurc_by_sorting(confidence, wrong), abs=2e-4)


@pytest.mark.parametrize(("wrong", "aurc"), [(0, 0.0), (10, 1.0)])
def test_all_right_or_all_wrong(wrong: int, aurc: float) -> None:
    count = np.zeros(256, np.int64)
    count[200] = 10
    found = risk_coverage(count, count - wrong // 10 * count)
    assert (found.aurc, found.excess) == (pytest.approx(aurc), pytest.approx(0, abs=1e-12))
    assert np.isnan(found.risk[201])
    assert found.coverage[201] == 0


def test_without_pixels_nothing_is_known() -> None:
    none = np.zeros(256, np.int64)
    found = risk_coverage(none, none)
    assert np.isnan([found.aurc, found.excess]).all()


def test_both_accumulators_count_the_same() -> None:
    rng = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(4, 30, 40, generator=rng)
    labels = torch.randint(0, 4, (30, 40), generator=rng)
    labels[:3] = 255
    p = logits.softmax(0)
    whole, mask_only = Accumulator(4), MaskAccumulator(4)
    whole.update(logits, labels, logits=True)
    mask_only.update_mask(labels.numpy(), p.argmax(0).numpy(), p.amax(0).numpy())
    seen = (labels != 255).numpy()
    confidence, mask = p.amax(0).numpy()[seen], p.argmax(0).numpy()[seen]
    wrong, level = mask != labels.numpy()[seen], np.round(255 * confidence).astype(int)
    expected = risk_coverage(*counted(level, wrong))
    for accumulator in (whole, mask_only):
        assert accumulator.risk_coverage().aurc == pytest.approx(expected.aurc)
        assert accumulator.risk_coverage().excess == pytest.approx(expected.excess)
        by_class = accumulator.aurc_by_prediction()
        for train_id in range(4):
            own = mask == train_id
            of_class = risk_coverage(*counted(level[own], wrong[own]))
            assert by_class[train_id] == pytest.approx(of_class.aurc)


def test_harmonic_numbers_are_those_of_scipy() -> None:
    n = np.concatenate([np.arange(0.0, 200), np.geomspace(200, 1e12, 50).round()])
    np.testing.assert_allclose(_harmonic_number(n), digamma(n + 1) + np.euler_gamma, rtol=1e-14, atol=1e-15)
