"""Confusion matrix and IoU against torchmetrics, scikit-learn and hand-counted examples."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix as sklearn_confusion
from torchmetrics.classification import MulticlassConfusionMatrix, MulticlassJaccardIndex

from distill.metrics import confusion_matrix, iou_per_class, mean_iou

IGNORE = 255


def maps(seed: int, classes: int, present: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Random labels (some ignored) and predictions that agree more often than not."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, present or classes, (3, 20, 30)).astype(np.uint8)
    noise = rng.integers(0, present or classes, labels.shape).astype(np.uint8)
    predictions = np.where(rng.random(labels.shape) < 0.6, labels, noise)
    labels[rng.random(labels.shape) < 0.2] = IGNORE
    return labels, predictions


@given(seed=st.integers(0, 1000), classes=st.integers(2, 19))
def test_counts_equal_scikit_learn(seed: int, classes: int) -> None:
    labels, predictions = maps(seed, classes)
    valid = labels != IGNORE
    expected = sklearn_confusion(labels[valid], predictions[valid], labels=range(classes))
    matrix = confusion_matrix(labels, predictions, classes)
    assert matrix.dtype == np.int64
    np.testing.assert_array_equal(matrix[:, :classes], expected)
    np.testing.assert_array_equal(matrix[:, classes], 0)


@pytest.mark.parametrize("present", [19, 7])
def test_iou_equals_torchmetrics_with_absent_classes_too(present: int) -> None:
    labels, predictions = maps(0, 19, present)
    tensors = torch.from_numpy(predictions).long(), torch.from_numpy(labels).long()
    matrix = confusion_matrix(labels, predictions, 19)
    counts = MulticlassConfusionMatrix(19, ignore_index=IGNORE)(*tensors)
    np.testing.assert_array_equal(matrix[:, :19], counts.numpy())
    per_class = MulticlassJaccardIndex(19, average="none", ignore_index=IGNORE)(*tensors).numpy()
    iou = iou_per_class(matrix)
    assert np.isnan(iou[present:]).all()
    np.testing.assert_allclose(iou[:present], per_class[:present], atol=1e-6)
    macro = MulticlassJaccardIndex(19, average="macro", ignore_index=IGNORE)(*tensors).item()
    assert mean_iou(matrix) == pytest.approx(macro, abs=1e-6)


def test_a_hand_counted_example() -> None:
    labels = [0, 0, 0, 1, 1, IGNORE, 2]
    predictions = [0, 1, 0, 1, IGNORE, 2, 0]
    matrix = confusion_matrix(labels, predictions, 4)
    expected = [[2, 1, 0, 0, 0], [0, 1, 0, 0, 1], [1, 0, 0, 0, 0], [0, 0, 0, 0, 0]]
    np.testing.assert_array_equal(matrix, expected)
    np.testing.assert_allclose(iou_per_class(matrix), [2 / 4, 1 / 3, 0, np.nan])
    assert mean_iou(matrix) == pytest.approx((1 / 2 + 1 / 3 + 0) / 3)


def test_abstaining_costs_the_true_class_alone() -> None:
    labels = np.array([0, 0, 1, 1])
    abstained = iou_per_class(confusion_matrix(labels, [0, IGNORE, 1, 1], 2))
    np.testing.assert_allclose(abstained, [1 / 2, 1])
    mistaken = iou_per_class(confusion_matrix(labels, [0, 1, 1, 1], 2))
    np.testing.assert_allclose(mistaken, [1 / 2, 2 / 3])


def test_a_class_that_is_only_predicted_scores_zero() -> None:
    np.testing.assert_allclose(iou_per_class(confusion_matrix([0, 0], [0, 1], 3)), [1 / 2, 0, np.nan])


@pytest.mark.parametrize("labels", [np.full((4, 4), IGNORE), np.zeros((0,), np.uint8)])
def test_nothing_labelled_is_nan_without_a_warning(labels: np.ndarray) -> None:
    matrix = confusion_matrix(labels, np.zeros_like(labels), 5)
    assert matrix.sum() == 0
    assert np.isnan(iou_per_class(matrix)).all()
    assert np.isnan(mean_iou(matrix))


def test_one_pixel() -> None:
    assert mean_iou(confusion_matrix([3], [3], 19)) == 1
    assert mean_iou(confusion_matrix([3], [4], 19)) == 0


@given(seed=st.integers(0, 1000))
def test_matrices_add_up_and_order_does_not_matter(seed: int) -> None:
    labels, predictions = maps(seed, 6)
    parts = sum(confusion_matrix(a, b, 6) for a, b in zip(labels, predictions, strict=True))
    np.testing.assert_array_equal(parts, confusion_matrix(labels, predictions, 6))
    order = np.random.default_rng(seed).permutation(labels.size)
    shuffled = confusion_matrix(labels.ravel()[order], predictions.ravel()[order], 6)
    np.testing.assert_array_equal(parts, shuffled)


def test_a_plain_square_matrix_is_accepted() -> None:
    np.testing.assert_allclose(iou_per_class(np.array([[2, 1], [0, 3]])), [2 / 3, 3 / 4])


def test_another_ignore_id() -> None:
    np.testing.assert_array_equal(confusion_matrix([0, 11], [0, 0], 2, ignore=11), [[1, 0, 0], [0, 0, 0]])


@pytest.mark.parametrize(
    ("labels", "predictions", "message"),
    [
        ([0, 19], [0, 0], "labels hold"),
        ([0, 1], [0, 19], "predictions hold"),
        ([0, 300], [0, 0], "labels must lie"),
        ([0, 0], [0, -1], "predictions must lie"),
        ([0.0], [0], "labels must be integers"),
        ([0, 1], [0], "differ in shape"),
    ],
)
def test_wrong_input_is_refused(labels: list, predictions: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        confusion_matrix(labels, predictions, 19)


def test_what_was_predicted_on_ignored_pixels_does_not_matter() -> None:
    np.testing.assert_array_equal(confusion_matrix([IGNORE, 0], [77, 0], 2), [[1, 0, 0], [0, 0, 0]])
