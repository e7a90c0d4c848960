"""Calibration error against torchmetrics (which keeps confidence 1 apart), netcal's way and plain loops."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics.functional.classification import binary_calibration_error, multiclass_calibration_error

from distill.common.files import plain
from distill.metrics import BatchedEce, ConfidenceBins
from distill.metrics.calibration import ece_of_bars


def binned(confidence: np.ndarray, correct: np.ndarray, bins: int = 15) -> ConfidenceBins:
    result = ConfidenceBins(bins)
    result.update(confidence, correct)
    return result


def predictions(
    seed: int, sharpness: float, shape: tuple[int, ...] = (40, 50)
) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities [N, C] of a noisy classifier, and labels of which a tenth is ignored."""
    rng = np.random.default_rng(seed)
    logits = sharpness * rng.normal(size=(int(np.prod(shape)), 6))
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    labels = np.where(rng.random(len(p)) < 0.7, p.argmax(1), rng.integers(0, 6, len(p)))
    labels[rng.random(len(p)) < 0.1] = 255
    return p, labels


def torchmetrics_ece(p: np.ndarray, labels: np.ndarray, bins: int = 15) -> float:
    value = multiclass_calibration_error(
        torch.from_numpy(p), torch.from_numpy(labels), num_classes=p.shape[1], n_bins=bins, ignore_index=255
    )
    return float(value)


def ours(p: np.ndarray, labels: np.ndarray, bins: int = 15) -> ConfidenceBins:
    valid = labels != 255
    return binned(p.max(1)[valid], (p.argmax(1) == labels)[valid], bins)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("bins", [1, 10, 15, 20])
@pytest.mark.parametrize("sharpness", [0.5, 2.0, 8.0, 60.0])
def test_ece_equals_torchmetrics(sharpness: float, bins: int, dtype: type) -> None:
    """Up to a sharpness at which FP32 saturates: confidence exactly 1 next to 0.99."""
    p, labels = predictions(0, sharpness)
    p = p.astype(dtype)
    assert ours(p, labels, bins).ece_torchmetrics() == pytest.approx(
        torchmetrics_ece(p, labels, bins), abs=1e-6
    )


@given(seed=st.integers(0, 10_000), saturated=st.floats(0, 1))
def test_ece_equals_torchmetrics_with_any_share_of_certain_pixels(seed: int, saturated: float) -> None:
    p, labels = predictions(seed, 3.0, (10, 20))
    certain = np.random.default_rng(seed).random(len(p)) < saturated
    p[certain] = np.eye(6)[p[certain].argmax(1)]
    assert ours(p, labels).ece_torchmetrics() == pytest.approx(torchmetrics_ece(p, labels), abs=1e-6)


@pytest.mark.parametrize("confidence", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("correct", [False, True])
def test_one_pixel(confidence: float, correct: bool) -> None:
    assert binned(np.array([confidence]), np.array([correct])).ece() == abs(confidence - correct)


def histogram_ece(confidence: np.ndarray, correct: np.ndarray, bins: int) -> float:
    """The ECE as netcal computes it: NumPy's histograms, whose last bin is closed."""
    edges = torch.linspace(0, 1, bins + 1).numpy()
    count, _ = np.histogram(confidence, edges)
    hits, _ = np.histogram(confidence, edges, weights=correct.astype(float))
    sure, _ = np.histogram(confidence, edges, weights=confidence)
    held = count > 0
    return float(
        (count[held] * np.abs(hits[held] / count[held] - sure[held] / count[held])).sum() / count.sum()
    )


@given(seed=st.integers(0, 10_000), saturated=st.floats(0, 1), bins=st.integers(1, 20))
def test_the_last_bin_is_closed(seed: int, saturated: float, bins: int) -> None:
    rng = np.random.default_rng(seed)
    confidence = np.where(rng.random(200) < saturated, 1, rng.random(200)).astype(np.float32)
    correct = rng.random(200) < 0.7
    found = binned(confidence, correct, bins)
    assert found.ece() == pytest.approx(histogram_ece(confidence, correct, bins), abs=1e-6)
    assert found.ece() <= found.ece_torchmetrics() + 1e-12
    bars = {name: list(map(plain, column)) for name, column in found.reliability()._asdict().items()}
    assert ece_of_bars(bars) == pytest.approx(found.ece(), abs=1e-12)


def test_certain_pixels_and_nearly_certain_ones_can_cancel() -> None:
    """Ten pixels of confidence 0.95, all right, and ten of confidence 1, one of them wrong: 0.5 − 1 of 20."""
    found = binned(np.repeat([0.95, 1.0], 10), np.arange(20) != 19)
    assert found.ece() == pytest.approx(0.5 / 20)
    assert found.ece_torchmetrics() == pytest.approx(1.5 / 20)


def test_ece_equals_a_loop_over_the_bins() -> None:
    rng = np.random.default_rng(1)
    confidence = rng.random(5000)
    correct = rng.random(5000) < confidence**2
    expected = 0.0
    for low in np.arange(15) / 15:
        inside = (confidence >= low) & (confidence < low + 1 / 15)
        expected += inside.mean() * abs(correct[inside].mean() - confidence[inside].mean())
    assert binned(confidence, correct).ece() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("bins", [1, 5, 10, 15, 20])
def test_edges_belong_to_the_bin_above(bins: int) -> None:
    """Edge k falls into bin k, the FP32 number below it into bin k − 1; 1 into the last."""
    edges = torch.linspace(0, 1, bins + 1).numpy()
    share = binned(edges, np.ones(bins + 1, bool), bins).reliability().share * (bins + 1)
    np.testing.assert_allclose(share, [1.0] * (bins - 1) + [2.0])
    below = np.nextafter(edges[1:], np.float32(0))
    np.testing.assert_allclose(
        binned(below, np.ones(bins, bool), bins).reliability().share * bins, np.ones(bins)
    )


@pytest.mark.parametrize("bins", [3, 7, 10, 15, 20])
@pytest.mark.parametrize("as_in", ["torch", "k/n"])
def test_ece_of_confidences_on_the_edges_equals_torchmetrics(bins: int, as_in: str) -> None:
    """Some k/n lie an FP32 bit below torch.linspace's edge, and in another bin."""
    edges = torch.linspace(0, 1, bins + 1) if as_in == "torch" else torch.arange(bins + 1) / bins
    confidence = torch.cat([edges, torch.nextafter(edges, torch.zeros(()))])
    correct = torch.arange(len(confidence)) % 3 > 0
    expected = binary_calibration_error(confidence, correct.long(), n_bins=bins).item()
    ece = binned(confidence.numpy(), correct.numpy(), bins).ece_torchmetrics()
    assert ece == pytest.approx(expected, abs=1e-6)


def test_bins_made_of_sums() -> None:
    confidence, correct = np.array([0.1, 0.2, 0.7, 1.0]), np.array([1, 0, 0, 1], bool)
    counted = binned(confidence, correct, bins=2)
    made = ConfidenceBins.from_sums(count=[2, 1, 1], confidence=[0.3, 0.7, 1], correct=[1, 0, 1])
    assert made.bins == 2
    assert made.ece() == pytest.approx(counted.ece(), rel=1e-12)
    for ours_, theirs in zip(made.reliability(), counted.reliability(), strict=True):
        np.testing.assert_allclose(ours_, theirs)


def test_reliability_table() -> None:
    table = binned(
        np.array([0.05, 0.1, 0.6, 0.9, 1.0]), np.array([1, 0, 1, 0, 1], bool), bins=4
    ).reliability()
    np.testing.assert_allclose(table.confidence, [0.075, np.nan, 0.6, 0.95])
    np.testing.assert_allclose(table.accuracy, [0.5, np.nan, 1.0, 0.5])
    np.testing.assert_allclose(table.share, [0.4, 0, 0.2, 0.4])


def test_no_pixels_are_nan() -> None:
    empty = ConfidenceBins()
    empty.update(np.zeros((0, 5)), np.zeros((0, 5)))
    assert empty.pixels == 0
    assert np.isnan(empty.ece())
    assert np.isnan(empty.reliability().share).all()
    assert np.isnan(torchmetrics_ece(np.eye(6), np.full(6, 255)))  # torchmetrics agrees


@given(seed=st.integers(0, 1000), cut=st.integers(0, 300))
def test_merging_equals_one_pass(seed: int, cut: int) -> None:
    rng = np.random.default_rng(seed)
    confidence = rng.random(300).astype(np.float32)
    correct = rng.random(300) < 0.5
    merged = binned(confidence[:cut], correct[:cut])
    merged.merge(binned(confidence[cut:], correct[cut:]))
    assert merged.pixels == 300
    assert merged.ece() == pytest.approx(binned(confidence, correct).ece(), rel=1e-12)


def test_sums_are_exact_for_many_fp32_pixels() -> None:
    """Three million equal confidences: an FP32 running sum would be off by far more."""
    bins = ConfidenceBins()
    for _ in range(30):
        bins.update(np.full(100_000, 0.7, np.float32), np.zeros(100_000, bool))
    assert bins.ece() == pytest.approx(float(np.float32(0.7)), rel=1e-12)


@pytest.mark.parametrize("confidence", [-0.01, 1.01, np.nan])
def test_confidence_outside_the_range_is_refused(confidence: float) -> None:
    with pytest.raises(ValueError, match="0…1"):
        binned(np.array([0.5, confidence]), np.array([True, True]))


def test_shapes_and_bins_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="3 confidences for 2"):
        binned(np.ones(3), np.ones(2, bool))
    with pytest.raises(ValueError, match="cannot merge 10 bins into 15"):
        ConfidenceBins(15).merge(ConfidenceBins(10))


def test_batched_ece_is_the_mean_over_batches_of_images() -> None:
    """Seven images in batches of three: 3 + 3 + 1."""
    images = [predictions(seed, 2.0, (4, 6)) for seed in range(7)]
    batched = BatchedEce(batch_size=3)
    for p, labels in images:
        batched.add(ours(p, labels))
    expected = []
    for batch in (images[:3], images[3:6], images[6:]):
        p = np.concatenate([image[0] for image in batch])
        labels = np.concatenate([image[1] for image in batch])
        expected.append(ours(p, labels).ece())
    assert batched.ece() == pytest.approx(np.mean(expected), abs=1e-6)


def test_batched_ece_default_and_degenerate_batches() -> None:
    batched = BatchedEce()
    assert batched.batch_size == 16
    assert np.isnan(batched.ece())
    for _ in range(16):
        batched.add(ConfidenceBins())  # a batch without a labelled pixel
    batched.add(binned(np.array([0.75]), np.array([True])))
    assert batched.ece() == 0.25
    assert batched.ece() == 0.25


def test_asking_for_the_batched_ece_does_not_end_a_batch() -> None:
    first, second = binned(np.array([0.75]), np.array([True])), binned(np.array([0.75]), np.array([False]))
    batched = BatchedEce(batch_size=2)
    batched.add(first)
    assert batched.ece() == 0.25
    batched.add(second)
    assert batched.ece() == 0.25  # half of two are correct, not the mean of 0.25 and 0.75
    batched.add(second)
    assert batched.ece() == pytest.approx((0.25 + 0.75) / 2)


def test_batches_of_parts_equal_those_of_the_whole() -> None:
    """Parts of whole batches, but for the last."""
    images = [ours(*predictions(seed, 2.0, (4, 6))) for seed in range(8)]
    whole, parts = BatchedEce(3), [BatchedEce(3), BatchedEce(3)]
    for i, image in enumerate(images):
        whole.add(image)
        parts[i >= 6].add(image)
    parts[0].merge(*parts[1].totals())
    assert parts[0].ece() == pytest.approx(whole.ece(), rel=1e-12)


def test_an_empty_batch_is_refused() -> None:
    with pytest.raises(ValueError, match="batch_size"):
        BatchedEce(0)
