"""The correction of the expected accuracy: what is fitted, where it ends, and how it is judged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from distill.calibration.accuracy_fit import (
    AS_IT_IS,
    SPOILT,
    TOLERANCE,
    WAYS,
    MeasuredImages,
    fit,
    fit_correction,
    isotonic,
    measure_images,
)
from distill.calibration.domain_fit import FOLDS, fit_distance
from distill.datasets.frame import Frame
from kd_seg_ros.inference.accuracy import AccuracyEstimator, correct
from kd_seg_ros.inference.card_values import is_accuracy_correction
from kd_seg_ros.inference.engine import Prediction


def images(count: int = 400, noise: float = 0.02, seed: int = 0) -> MeasuredImages:
    """Images whose accuracy falls by a tenth of the raw estimate for each unit of distance above 1."""
    rng = np.random.default_rng(seed)
    way = np.where(np.arange(count) % 2, rng.choice(WAYS, count), AS_IT_IS)
    distance = np.where(way == AS_IT_IS, rng.uniform(0.7, 1.3, count), rng.uniform(1, 6, count))
    raw = rng.uniform(0.6, 0.9, count)
    truth = raw * (1 - 0.1 * np.maximum(distance - 1, 0)) + rng.normal(0, noise, count)
    return MeasuredImages(raw, distance, truth, way, np.arange(count) % FOLDS)


def test_the_correction_finds_how_much_is_lost_with_the_distance() -> None:
    fitted, new = fit(images()), images(seed=1)
    found = fitted.estimate(new)
    assert np.isnan(found).mean() < 0.05  # those beyond the farthest that it has seen
    assert np.nanmean(np.abs(found - new.accuracy)) < 0.025
    assert np.abs(new.raw - new.accuracy).mean() > 0.08
    assert fitted.factors == sorted(fitted.factors, reverse=True)
    assert fitted.largest_distance == images().distance.max()


def test_estimates_end_where_they_begin_to_err() -> None:
    """Beyond a distance of 3 the accuracy is anything: there is no estimate for such images, nor beyond."""
    known, rng = images(), np.random.default_rng(2)
    lost = known.distance > 3
    wild = replace(known, accuracy=np.where(lost, rng.uniform(0, 1, len(lost)), known.accuracy))
    found = fit(wild)
    assert 2 < found.largest_distance < 3.5
    estimate = found.estimate(wild)
    np.testing.assert_array_equal(np.isnan(estimate), wild.distance > found.largest_distance)
    judged = fit_correction(wild)
    assert judged.held_out.error < TOLERANCE < judged.held_out.error_raw
    assert judged.held_out.withheld == pytest.approx(lost.mean(), abs=0.1)


def test_the_vehicle_computes_what_was_fitted() -> None:
    measured = images()
    found = fit_correction(measured)
    entry = found.of_card("noise")
    assert is_accuracy_correction(entry)
    for raw, distance, expected in zip(
        measured.raw[:50], measured.distance[:50], found.correction.estimate(measured)[:50], strict=True
    ):
        assert correct(float(raw), float(distance), entry).value == pytest.approx(expected)
    low, high = found.range
    clean = measured.way == AS_IT_IS
    inside = (measured.accuracy >= low - 0.05) & (measured.accuracy <= high + 0.05)
    assert inside[clean].mean() > 0.98


def test_a_way_of_spoiling_that_was_not_seen_counts_as_such() -> None:
    """One way at ordinary distances makes everything wrong: only a fit that has seen it could know."""
    known = images(noise=0.0)
    own = known.way == WAYS[0]
    hidden = replace(
        known,
        distance=np.where(own, 1.0, known.distance),
        accuracy=np.where(own, 0.5 * known.raw, known.accuracy),
    )
    unseen = fit_correction(hidden).unseen
    assert unseen.error > fit_correction(known).unseen.error + 0.01


def test_what_cannot_be_fitted_is_refused() -> None:
    known = images()
    with pytest.raises(ValueError, match="errs by more than 5% on the images as they are"):
        fit_correction(replace(known, accuracy=np.random.default_rng(0).uniform(0, 1, len(known.raw))))
    with pytest.raises(ValueError, match="too few of the images have labels"):
        fit_correction(known.chosen(known.fold == 0))


def test_isotonic_regression_pools_what_falls() -> None:
    values, weights = np.array([1.0, 3.0, 2.0, 4.0, 0.0]), np.array([1.0, 1.0, 3.0, 1.0, 1.0])
    # 3 and 2 (of weight 3) become 2.25; 4 and 0 become 2, which is lower, so that all three are pooled.
    np.testing.assert_allclose(isotonic(values, weights), [1, 13 / 6, 13 / 6, 13 / 6, 13 / 6])


def test_each_image_is_measured_as_it_is_and_spoilt(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frames = []
    for number in range(20):
        path, labels = tmp_path / f"{number}.png", tmp_path / f"{number}_labels.png"
        Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8)).save(path)
        # The third image has no label at all.
        Image.fromarray(np.full((6, 8), 255 if number == 2 else 1, np.uint8)).save(labels)
        frames.append(Frame(path, labels, "fog"))

    def measure(image: np.ndarray) -> np.ndarray:
        return np.concatenate([image.mean(axis=(0, 1)), image.std(axis=(0, 1))]).astype(np.float32)

    def segment(image: np.ndarray) -> Prediction:
        """Call a pixel 1 if its green is at least 128."""
        mask = (image[..., 1] >= 128).astype(np.uint8)
        return Prediction(mask, np.full(mask.shape, 204, np.uint8))

    statistics = np.array([measure(np.asarray(Image.open(frame.image))) for frame in frames])
    distance = fit_distance(statistics, [""] * len(frames))
    found = measure_images(segment, measure, frames, distance, AccuracyEstimator(None, {}))
    assert len(found.raw) == 19 * (1 + SPOILT)
    assert set(found.way) == {AS_IT_IS, *WAYS}
    np.testing.assert_allclose(found.raw, 12.5 / 15)  # 204 of 255 is in the bin from 12/15 on
    clean = found.way == AS_IT_IS
    np.testing.assert_allclose(found.distance[clean], np.delete(distance.held_out, 2))
    greens = [np.asarray(Image.open(frame.image))[..., 1] >= 128 for frame in frames]
    np.testing.assert_allclose(found.accuracy[clean], np.delete([green.mean() for green in greens], 2))
    np.testing.assert_array_equal(found.fold[clean], np.delete(distance.fold, 2))
