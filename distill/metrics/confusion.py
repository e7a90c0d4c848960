"""Confusion matrix and intersection over union (IoU).

The matrix is [C, C + 1]: rows are true classes, columns predicted ones, and the last column counts
pixels on which the network abstained (predicted the ignore id, e.g. for low confidence). An
abstention is a miss: it enlarges the union of the true class and of no other. Pixels whose *label* is
the ignore id count nowhere. Matrices of several images add up to the matrix of all of them.
"""

import numpy as np
import numpy.typing as npt


def confusion_matrix(
    labels: npt.ArrayLike, predictions: npt.ArrayLike, num_classes: int, ignore: int = 255
) -> npt.NDArray[np.int64]:
    """Count pixels by true and predicted class.

    :param labels: integers 0…C−1 or ``ignore``, any shape.
    :param predictions: integers of the same shape; ``ignore`` means abstained.
    :param num_classes: C, at most ``ignore``; ``ignore`` is at most 255.
    :return: int64 [C, C + 1].
    :raises ValueError: if the shapes differ or a labelled pixel holds any other value.
    """
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    if labels.shape != predictions.shape:
        raise ValueError(f"labels {labels.shape} and predictions {predictions.shape} differ in shape")
    # One histogram over both bytes; ignored pixels drop out with the rows that are not taken.
    pairs = _bytes(labels, "labels").astype(np.uint16) << 8 | _bytes(predictions, "predictions")
    joint = np.bincount(pairs.ravel(), minlength=1 << 16).reshape(256, 256)

    labelled = joint[:num_classes]
    matrix = np.column_stack([labelled[:, :num_classes], labelled[:, ignore]])
    if labelled.sum() + joint[ignore].sum() != labels.size:
        raise ValueError(f"labels hold values other than 0…{num_classes - 1} and {ignore}")
    if matrix.sum() != labelled.sum():
        raise ValueError(f"predictions hold values other than 0…{num_classes - 1} and {ignore}")
    return matrix.astype(np.int64)


def iou_per_class(matrix: npt.NDArray[np.int64 | np.float64]) -> npt.NDArray[np.float64]:
    """Return TP / (TP + FP + FN) of each class, 0…1; NaN for a class neither labelled nor predicted.

    :param matrix: [..., C, C + 1] of :func:`confusion_matrix`, or a plain [..., C, C].
    :return: float64 [..., C].
    """
    hits = np.diagonal(matrix, axis1=-2, axis2=-1)
    union = matrix.sum(axis=-1) + matrix[..., : matrix.shape[-2]].sum(axis=-2) - hits
    return np.divide(hits, union, out=np.full(hits.shape, np.nan), where=union > 0)


def mean_iou(matrix: npt.NDArray[np.int64]) -> float:
    """Return the mean of :func:`iou_per_class` over the classes that occur, 0…1; NaN if none does."""
    iou = iou_per_class(matrix)
    present = ~np.isnan(iou)
    return float(iou[present].mean()) if present.any() else float("nan")


def _bytes(values: npt.NDArray[np.generic], name: str) -> npt.NDArray[np.uint8]:
    """Return integers 0…255 as bytes; raises ValueError for others."""
    if not np.issubdtype(values.dtype, np.integer):
        raise ValueError(f"{name} must be integers, not {values.dtype}")
    if values.dtype != np.uint8 and values.size and not 0 <= values.min() <= values.max() <= 255:
        raise ValueError(f"{name} must lie in 0…255")
    return values.astype(np.uint8, copy=False)
