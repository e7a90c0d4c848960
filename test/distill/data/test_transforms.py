"""Transforms: geometry, colour, padding and determinism."""

import colorsys
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import default_collate

from distill.data.border_weights import border_weights
from distill.data.transforms import (
    LUMA,
    TrainTransform,
    colour_jitter,
    colour_matrix,
    eval_transform,
    normalise,
    resize,
)
from distill.datasets.frame import Sample

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)


def sample(height: int = 40, width: int = 60, seed: int = 0, labelled: bool = True) -> Sample:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    labels = rng.choice(np.array([0, 5, 18, 255], np.uint8), (height, width))
    return Sample(image, labels if labelled else None, "fog", Path("frame.png"))


def transform(**options: Any) -> TrainTransform:
    """One that changes nothing but what ``options`` say (and a flip)."""
    plain = TrainTransform((40, 60), working_scale=1.0, scale=(1.0, 1.0), jitter=0.0, mean=MEAN, std=STD)
    return replace(plain, **options)


def pixels(image: torch.Tensor) -> np.ndarray:
    """Turn a normalised image back into its uint8 values."""
    values = image.numpy().transpose(1, 2, 0) * np.array(STD) + np.array(MEAN)
    return np.round(255 * values).astype(np.uint8)


@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    crop=st.tuples(st.integers(2, 70), st.integers(2, 70)),
    working_scale=st.sampled_from([0.5, 0.8, 1.0]),
    seed=st.integers(0, 99),
)
@settings(deadline=None, max_examples=60)
def test_every_image_size_gives_the_working_size(
    height: int, width: int, crop: tuple[int, int], working_scale: float, seed: int
) -> None:
    augment = TrainTransform(crop=crop, working_scale=working_scale)
    item = augment(sample(height, width, seed), np.random.default_rng(seed))
    expected = tuple(round(side * working_scale) for side in crop)
    assert augment.size == expected
    assert item["image"].shape == (3, *expected)
    assert item["labels"].shape == item["weights"].shape == expected
    assert (item["image"].dtype, item["labels"].dtype, item["weights"].dtype) == (
        torch.float32,
        torch.int64,
        torch.float32,
    )
    assert set(item["labels"].unique().tolist()) <= {0, 5, 18, 255}
    # The weights are those of the very labels they come with.
    labels = item["labels"].numpy().astype(np.uint8)
    np.testing.assert_array_equal(item["weights"].numpy(), border_weights(labels))


def test_thesis_sizes() -> None:
    assert TrainTransform().size == (864, 864)
    assert TrainTransform().scale == (0.5, 2.0)


def test_without_augmentation_only_the_flip_is_left() -> None:
    source, seen = sample(), set()
    assert source.labels is not None
    for seed in range(20):
        item = transform()(source, np.random.default_rng(seed))
        flipped = bool((item["labels"].numpy() != source.labels).any())
        seen.add(flipped)
        step = -1 if flipped else 1
        np.testing.assert_array_equal(pixels(item["image"]), source.image[:, ::step])
        np.testing.assert_array_equal(item["labels"].numpy(), source.labels[:, ::step])
    assert seen == {True, False}


def test_a_crop_is_a_window_of_the_image_and_reaches_every_corner() -> None:
    """The image codes each pixel's place, so that the window's place can be read off."""
    y, x = np.mgrid[:6, :8].astype(np.uint8)
    source = Sample(np.dstack([y, x, x]), y.astype(np.uint8), "fog", Path("frame.png"))
    corners = set()
    for seed in range(200):
        item = transform(crop=(4, 5))(source, np.random.default_rng(seed))
        window = pixels(item["image"])
        window = window if window[0, 0, 1] < window[0, 1, 1] else window[:, ::-1]
        top, left = int(window[0, 0, 0]), int(window[0, 0, 1])
        corners.add((top, left))
        np.testing.assert_array_equal(window, source.image[top : top + 4, left : left + 5])
        np.testing.assert_array_equal(item["labels"].numpy(), y[top : top + 4, left : left + 5])
    assert corners == set(product(range(3), range(4)))


def test_a_small_image_is_padded_with_the_mean_colour_and_ignored_labels() -> None:
    source = replace(sample(10, 12), labels=np.ones((10, 12), np.uint8))
    item = transform(crop=(30, 40), jitter=0.5)(source, np.random.default_rng(1))
    padding = item["labels"] == 255
    assert padding.sum() == 30 * 40 - 10 * 12
    assert item["weights"][padding].eq(0).all()
    # Within half a grey level of the mean, which normalises to 0.
    assert item["image"][:, padding].abs().max() <= 0.5 / 255 / min(STD) + 1e-6


@pytest.mark.parametrize("scale", [0.5, 0.6, 0.8, 1.3, 2.0])
def test_labels_stay_on_the_images_grid_under_scaling(scale: float) -> None:
    """A ramp coded in both: their difference has mean 0 only if both use pixel centres."""
    ramp = np.tile(np.arange(60, dtype=np.uint8), (40, 1))
    image, labels = resize(np.dstack([4 * ramp] * 3), ramp, scale)
    assert labels.shape == image.shape[:2] == (round(40 * scale), round(60 * scale))
    inside = np.s_[:, 5:-5]
    difference = image[..., 0][inside] / 4 - labels[inside].astype(float)
    assert np.abs(difference).max() <= 0.75
    assert difference.mean() == pytest.approx(0, abs=0.15 if scale != 0.5 else 0.55)  # ½: a tie everywhere


def test_random_scale_covers_its_range() -> None:
    """The share of the canvas that is not padding is the square of the scale."""
    labels = np.zeros((40, 40), np.uint8)
    source = Sample(np.zeros((40, 40, 3), np.uint8), labels, "fog", Path("frame.png"))
    augment = transform(crop=(80, 80), scale=(0.5, 2.0))
    scales = []
    for seed in range(200):
        covered = (augment(source, np.random.default_rng(seed))["labels"] == 0).float().mean().item()
        scales.append(2 * covered**0.5)
    assert min(scales) == pytest.approx(0.5, abs=0.05)
    assert max(scales) == pytest.approx(2.0, abs=0.05)
    assert np.mean(scales) == pytest.approx(1.25, abs=0.1)


def test_same_generator_state_same_item() -> None:
    augment = TrainTransform(crop=(30, 30))
    a = augment(sample(), np.random.default_rng(3))
    b = augment(sample(), np.random.default_rng(3))
    c = augment(sample(), np.random.default_rng(4))
    assert torch.equal(a["image"], b["image"])
    assert torch.equal(a["labels"], b["labels"])
    assert not torch.equal(a["image"], c["image"])


def test_the_sample_is_left_untouched() -> None:
    source, copy = sample(), sample()
    assert source.labels is not None
    TrainTransform(crop=(30, 30))(source, np.random.default_rng(0))
    np.testing.assert_array_equal(source.image, copy.image)
    np.testing.assert_array_equal(source.labels, copy.labels)


def test_the_teacher_counts_on_labelled_pixels_and_on_all_of_an_unlabelled_image() -> None:
    """Padding counts in neither of the two."""
    taller = transform(crop=(50, 60))
    whole = taller(sample(labelled=True), np.random.default_rng(3))
    bare = taller(sample(labelled=False), np.random.default_rng(3))
    assert torch.equal(whole["distil"], whole["labels"] != 255)
    assert (bare["labels"] == 255).all()
    assert not bare["weights"].any()
    assert torch.equal(whole["image"], bare["image"])
    assert int(bare["distil"].sum()) == 40 * 60


def test_without_flipping_an_image_is_never_mirrored() -> None:
    items = [transform(flip=False)(sample(), np.random.default_rng(seed))["image"] for seed in range(8)]
    assert all(torch.equal(items[0], item) for item in items)


def test_colour_matrix_factors() -> None:
    """Each change alone must be its textbook form."""
    colour = np.array([200.0, 90.0, 40.0])

    def change(brightness: float, contrast: float, saturation: float, hue: float) -> np.ndarray:
        return colour_matrix(brightness, contrast, saturation, hue, grey=100.0) @ [*colour, 1]

    grey = LUMA @ colour
    np.testing.assert_allclose(change(1, 1, 1, 0), colour)
    np.testing.assert_allclose(change(1.2, 1, 1, 0), 1.2 * colour)
    np.testing.assert_allclose(change(1, 0.7, 1, 0), 100 + 0.7 * (colour - 100))
    np.testing.assert_allclose(change(1, 1, 0.4, 0), grey + 0.4 * (colour - grey))
    np.testing.assert_allclose(change(1, 1, 1, 1 / 3), np.roll(colour, 1))  # red becomes green
    np.testing.assert_allclose(change(1, 1, 1, 1), colour, atol=1e-9)


@given(hue=st.floats(-0.5, 0.5), value=st.integers(0, 255))
def test_hue_leaves_grey_alone(hue: float, value: int) -> None:
    matrix = colour_matrix(1, 1, 1, hue, 100)
    np.testing.assert_allclose(matrix @ [value, value, value, 1], [value] * 3, atol=1e-9)


@pytest.mark.parametrize("turns", [-0.05, 0.05])
def test_hue_turns_colours_the_way_and_about_as_far_as_hsv(turns: float) -> None:
    colour = np.array([0.7, 0.4, 0.3])
    turned = colour_matrix(1, 1, 1, turns, 100)[:, :3] @ colour
    before, after = colorsys.rgb_to_hsv(*colour)[0], colorsys.rgb_to_hsv(*turned)[0]
    assert (after - before + 0.5) % 1 - 0.5 == pytest.approx(turns, abs=0.02)


def test_jitter_is_the_matrix_to_one_grey_level_and_saturates() -> None:
    image = np.array([[[250, 250, 250], [0, 0, 0], [120, 60, 30]]], np.uint8)
    for seed in range(20):
        result = colour_jitter(image, 1.0, np.random.default_rng(seed))
        rng = np.random.default_rng(seed)
        brightness, contrast, saturation = rng.uniform(0, 2, 3)
        matrix = colour_matrix(
            brightness, contrast, saturation, rng.uniform(-1, 1) / 4, (image @ LUMA).mean()
        )
        exact = image @ matrix[:, :3].T + matrix[:, 3]
        assert np.abs(result - exact.clip(0, 255)).max() <= 1
    assert colour_jitter(image, 0.0, np.random.default_rng(0)) is image


def test_normalise() -> None:
    image = sample().image
    expected = (image / 255 - np.array(MEAN)) / np.array(STD)
    result = normalise(image, MEAN, STD)
    assert result.is_contiguous()
    np.testing.assert_allclose(result.numpy(), expected.transpose(2, 0, 1), atol=1e-5)


def test_evaluation_items_are_the_whole_frame() -> None:
    source = sample()
    item = eval_transform(source)
    np.testing.assert_array_equal(item["image"].numpy(), source.image)
    np.testing.assert_array_equal(item["labels"].numpy(), source.labels)
    assert (item["condition"], item["path"]) == ("fog", "frame.png")
    assert "labels" not in eval_transform(sample(labelled=False))
    batch = default_collate([item, item])
    assert batch["image"].shape == (2, 40, 60, 3)
    assert batch["condition"] == ["fog", "fog"]
