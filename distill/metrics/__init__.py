"""Scores of a segmentation in one pass: memory constant in the number of images, mergeable by addition.

What is exported here needs NumPy alone, as does :mod:`distill.metrics.mask_accumulator`. Only
:mod:`distill.metrics.accumulator`, which reads the probabilities of all classes, needs PyTorch.
"""

from distill.metrics.calibration import BatchedEce, ConfidenceBins, Reliability
from distill.metrics.confusion import confusion_matrix, iou_per_class, mean_iou
from distill.metrics.precision_recall import Auprc

__all__ = [
    "Auprc",
    "BatchedEce",
    "ConfidenceBins",
    "Reliability",
    "confusion_matrix",
    "iou_per_class",
    "mean_iou",
]
