"""The paired bootstrap against a plain loop over draws, SciPy's, and cases whose answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from evaluated import write_run
from numpy.typing import NDArray
from scipy import stats

from distill.evaluation.bootstrap import (
    Difference,
    bootstrap_of_pairs,
    compare_by_condition,
    paired_bootstrap,
    sequences,
)
from distill.evaluation.evaluated_run import read_run
from distill.evaluation.image_scores import ImageScores
from distill.metrics import ConfidenceBins, confusion_matrix, mean_iou

CLASSES = 3


def images(seed: int, number: int, accuracy: float, pixels: int = 200) -> ImageScores:
    """Random labels (the same for each accuracy), of which a share is predicted rightly."""
    rng = np.random.default_rng(seed)
    confusion: list[NDArray[np.int64]] = []
    tables: list[tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]] = []
    for _ in range(number):
        labels = rng.integers(0, CLASSES, pixels)
        hit, wrong, p = rng.random(pixels) < accuracy, rng.integers(0, CLASSES, pixels), rng.random(pixels)
        predicted = np.where(hit, labels, wrong)
        confusion.append(confusion_matrix(labels, predicted, CLASSES))
        bins = ConfidenceBins()
        bins.update(p, predicted == labels)
        tables.append(bins.sums())
    names = np.array([f"{i}.png" for i in range(number)])
    return ImageScores(
        names,
        np.full(number, "fog"),
        np.stack(confusion),
        count=np.stack([count for count, _, _ in tables]),
        confidence=np.stack([confidence for _, confidence, _ in tables]),
        correct=np.stack([correct for _, _, correct in tables]).astype(np.int64),
    )


def pooled(scores: ImageScores, chosen: NDArray[np.int64]) -> tuple[float, float]:
    bins = ConfidenceBins()
    for i in chosen:
        bins.merge(ConfidenceBins.from_sums(scores.count[i], scores.confidence[i], scores.correct[i]))
    return mean_iou(scores.confusion[chosen].sum(axis=0)), bins.ece()


def test_scores_are_those_of_the_pooled_pixels() -> None:
    first, second = images(0, 12, 0.6), images(0, 12, 0.7)
    miou, ece = paired_bootstrap(first, second, draws=200)
    everything = np.arange(12)
    assert (miou.first, ece.first) == pytest.approx(pooled(first, everything))
    assert (miou.second, ece.second) == pytest.approx(pooled(second, everything))


def test_the_interval_is_that_of_a_plain_loop() -> None:
    first, second = images(1, 15, 0.6), images(1, 15, 0.63)
    miou, ece = paired_bootstrap(first, second, draws=4000)
    rng = np.random.default_rng(7)
    draws = [rng.integers(0, 15, 15) for _ in range(4000)]
    differences = np.array([np.subtract(pooled(second, d), pooled(first, d)) for d in draws])
    for found, plain in zip((miou, ece), differences.T, strict=True):
        # Two sets of draws: the ends of the interval agree to a part of its width.
        width = found.high - found.low
        assert [found.low, found.high] == pytest.approx(np.quantile(plain, [0.025, 0.975]), abs=0.1 * width)
        assert found.better == pytest.approx((plain > 0).mean(), abs=0.05)


def test_one_pair_is_compared_as_two_models_are() -> None:
    pair = images(1, 15, 0.6), images(1, 15, 0.63)
    assert bootstrap_of_pairs([pair], 1200) == paired_bootstrap(*pair, draws=1200)[0]


def test_pairs_are_compared_by_the_mean_of_their_differences() -> None:
    # Models that differ much: their pooled pixels have another mIoU than they have on average.
    pairs = [(images(1, 15, low), images(1, 15, high)) for low, high in ((0.1, 0.3), (0.9, 0.95), (0.5, 0.4))]
    found = bootstrap_of_pairs(pairs, 4000)
    rng = np.random.default_rng(7)
    plain = []
    for _ in range(4000):
        draw = rng.integers(0, 15, 15)
        plain.append(np.mean([pooled(second, draw)[0] - pooled(first, draw)[0] for first, second in pairs]))
    width = found.high - found.low
    assert [found.low, found.high] == pytest.approx(np.quantile(plain, [0.025, 0.975]), abs=0.1 * width)
    everything = np.arange(15)
    assert found.first == pytest.approx(np.mean([pooled(first, everything)[0] for first, _ in pairs]))
    assert found.second == pytest.approx(np.mean([pooled(second, everything)[0] for _, second in pairs]))
    assert found.low < found.second - found.first < found.high


def test_the_interval_is_scipys_where_the_score_is_a_mean() -> None:
    # One class and one bin: ECE = |mean gap|, and all images weigh the same.
    rng = np.random.default_rng(3)
    gaps = rng.uniform(0.1, 0.9, (2, 30))

    def one(gap: NDArray[np.float64]) -> ImageScores:
        cells = np.zeros((30, 2))
        count, confidence, correct = cells.copy(), cells.copy(), cells.copy()
        count[:, 0], confidence[:, 0], correct[:, 0] = 100, 100 * gap, 0
        confusion = np.tile(np.array([[100, 0]]), (30, 1, 1))
        return ImageScores(np.arange(30).astype(str), np.full(30, "x"), confusion, count, confidence, correct)

    _, ece = paired_bootstrap(one(gaps[0]), one(gaps[1]), draws=20_000)
    reference = stats.bootstrap(
        (gaps[1] - gaps[0],), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    assert [ece.low, ece.high] == pytest.approx([reference.low, reference.high], abs=0.01)


def test_a_model_against_itself_makes_no_difference() -> None:
    same = images(2, 10, 0.5)
    miou, ece = paired_bootstrap(same, same, draws=200)
    assert (miou.low, miou.high, ece.low, ece.high) == (0, 0, 0, 0)
    assert not miou.certain


def test_a_clear_difference_is_certain_and_a_small_one_is_not() -> None:
    assert paired_bootstrap(images(4, 30, 0.5), images(4, 30, 0.9), draws=500)[0].certain
    assert not paired_bootstrap(images(4, 12, 0.5), images(8, 12, 0.5), draws=500)[0].certain
    assert Difference(0.5, 0.4, -0.2, -0.1, 0.0, 10).certain
    assert not Difference(0.5, 0.4, -0.2, -0.1, 0.0, 9).certain


def test_groups_are_drawn_whole() -> None:
    # Two groups, in one of which B is better and in the other A: a draw takes one of them twice, or both.
    a, b = images(6, 2, 0.2), images(6, 2, 0.9)
    mixed = {n: np.concatenate([getattr(a, n), getattr(b, n)]) for n in a.tables()}
    swapped = {n: np.concatenate([getattr(b, n), getattr(a, n)]) for n in a.tables()}
    groups = np.array([0, 0, 1, 1])
    miou, _ = paired_bootstrap(ImageScores(**mixed), ImageScores(**swapped), groups, draws=400)
    gap = mean_iou(b.confusion.sum(axis=0)) - mean_iou(a.confusion.sum(axis=0))
    assert (miou.low, miou.high) == pytest.approx((-gap, gap))
    assert miou.better == pytest.approx(0.25, abs=0.08)  # image by image it would be near a half


def test_conditions_without_labels_are_refused() -> None:
    nothing = images(0, 3, 0.5, pixels=0)
    with pytest.raises(ValueError, match="no labelled pixel"):
        paired_bootstrap(nothing, nothing)


def test_conditions_are_compared_on_their_own_images(tmp_path: Path) -> None:
    first = read_run(write_run(tmp_path / "1", seed=1)).images
    second = read_run(write_run(tmp_path / "2", seed=2)).images
    results = compare_by_condition(first, second, "image", 100)
    assert list(results) == ["full", "fog", "night"]
    in_fog = first.only(first.conditions == "fog"), second.only(second.conditions == "fog")
    assert results["fog"] == compare_by_condition(*in_fog, "image", 100)["full"]


def test_sequences_are_folders(tmp_path: Path) -> None:
    images = read_run(write_run(tmp_path)).images
    # fog/drive0, night/drive0, …, four frames of a drive, then the next.
    assert sequences(images).tolist() == [0, 2, 0, 2, 1, 3, 1, 3]
