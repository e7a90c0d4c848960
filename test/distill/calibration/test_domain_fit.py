"""The domain distance and its quantiles, which are those of images that it was not fitted on."""

from __future__ import annotations

import numpy as np
import pytest

from distill.calibration.domain_fit import FOLDS, fit_distance, measure_distance
from kd_seg_ros.inference.card_values import QUANTILES, is_domain


def samples(count: int, size: int = 40, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, size))


def test_quantiles_hold_on_new_images() -> None:
    found = fit_distance(samples(200), [""] * 200)
    entry = found.of_card("noise")
    assert is_domain(entry)
    assert (entry["images"], entry["source"]) == (200, "noise")
    new = found.reference.distance(samples(2000, seed=1))
    assert np.mean(new <= entry["quantiles"]["95"]) == pytest.approx(0.95, abs=0.04)
    # On the images that it was fitted on, distances are too small to be a limit for others.
    fitted = np.quantile(found.reference.distance(samples(200)), 0.95)
    assert fitted < entry["quantiles"]["95"]
    assert sorted(entry["quantiles"].values()) == [entry["quantiles"][key] for key in QUANTILES]


def test_frames_of_a_drive_are_measured_by_other_drives() -> None:
    """Frames of a drive are all alike here: measured by each other they would be near."""
    drives = np.repeat(np.arange(2 * FOLDS), 20)
    places = samples(2 * FOLDS, seed=3)[drives] * 5
    frames = places + samples(len(drives))
    names = [f"drive{number}" for number in drives]
    shuffled = np.random.default_rng(0).permutation(frames)
    mixed = np.median(fit_distance(shuffled, [""] * len(names)).held_out)
    assert np.median(fit_distance(frames, names).held_out) > 1.2 * mixed
    # In one folder, frames that follow each other are held out together.
    assert np.median(fit_distance(frames, [""] * len(names)).held_out) > 1.2 * mixed


def test_too_few_images_are_refused_before_any_is_read() -> None:
    with pytest.raises(ValueError, match="3 images are too few"):
        measure_distance(lambda _: pytest.fail("read"), [None] * 3)  # type: ignore[list-item]
