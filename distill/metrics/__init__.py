"""Scores of a segmentation: NumPy only, memory constant in the number of images, mergeable by addition."""

from distill.metrics.calibration import BatchedEce, ConfidenceBins, Reliability
from distill.metrics.confusion import confusion_matrix, iou_per_class, mean_iou

__all__ = [
    "BatchedEce",
    "ConfidenceBins",
    "Reliability",
    "confusion_matrix",
    "iou_per_class",
    "mean_iou",
]
