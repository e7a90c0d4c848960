"""Does the exported file do what the network in PyTorch does? The gate of every export.

The file runs in half precision, so single logits may differ; what must agree is what the vehicle uses:
the class of (nearly) every pixel, the mIoU, and the confidence.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from distill.config.data import SourceConfig
from distill.data.dataset import SegmentationDataset
from distill.data.from_config import open_source
from distill.datasets.frame import read_image
from distill.evaluation.predictors import engine_segmenter, torch_segmenter
from distill.metrics import confusion_matrix, mean_iou
from distill.models.deployed import DeployedModel
from kd_seg_ros.common.classes import IGNORE_ID
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.inference.engine import Engine

MIN_ARGMAX = 0.995
"""Least share of pixels of the same class."""
MAX_MIOU_POINTS = 0.3
"""Greatest difference in mIoU, in points of 100."""
MAX_CONFIDENCE = 0.01
"""Greatest mean absolute difference in confidence, 0…1."""

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")

Pair = tuple[NDArray[np.uint8], "NDArray[np.uint8] | None"]
"""Image [H, W, 3] and its labels [H, W], if there are any."""


@dataclass(frozen=True)
class Agreement:
    """How closely a file follows the network, over some images."""

    images: int
    argmax: float
    """Share of pixels of the same class."""
    confidence: float
    """Mean absolute difference in confidence, 0…1."""
    miou_points: float
    """Absolute difference in mIoU, in points of 100; NaN without labels."""
    finite: bool
    """Whether all probabilities of the file are numbers."""

    def failures(self) -> list[str]:
        """Name each test that failed, and by how much."""
        failures = []
        if not self.finite:
            failures.append("its probabilities hold NaN or infinity")
        if not self.argmax >= MIN_ARGMAX:
            failures.append(f"argmax agreement {self.argmax:.2%} is below {MIN_ARGMAX:.1%}")
        if not self.confidence <= MAX_CONFIDENCE:
            failures.append(
                f"mean absolute confidence difference {self.confidence:.4f} is above {MAX_CONFIDENCE}"
            )
        if self.miou_points > MAX_MIOU_POINTS:
            failures.append(f"mIoU differs by {self.miou_points:.2f} points, more than {MAX_MIOU_POINTS}")
        return failures

    def describe(self, reference: str = "PyTorch in FP32") -> str:
        """Return one line for the terminal; ``reference`` says what the file was compared with."""
        miou = (
            "no labels" if math.isnan(self.miou_points) else f"mIoU differs by {self.miou_points:.3f} points"
        )
        return (
            f"agreement with {reference} over {self.images} images: argmax {self.argmax:.3%}, "
            f"mean confidence difference {self.confidence:.5f}, {miou}"
        )

    def as_dict(self) -> dict[str, float]:
        """Return what was measured, for the model card."""
        return {k: float(v) for k, v in asdict(self).items() if not math.isnan(v)}


def measure_agreement(model: DeployedModel, engine: Engine, pairs: list[Pair]) -> Agreement:
    """Compare both on images brought to the file's size."""
    of_file, of_network = engine_segmenter(engine), torch_segmenter(model)
    same = pixels = 0
    difference = 0.0
    finite = True
    classes = len(engine.card.class_names)
    confusion = [np.zeros((classes, classes + 1), np.int64) for _ in range(2)]
    labelled = False
    for image, labels in tqdm(_resized(pairs, engine.size), "check", len(pairs), unit="image"):
        (mask, probability), (mask_ref, probability_ref) = of_file(image), of_network(image)
        same += int((mask == mask_ref).sum())
        pixels += mask.size
        finite &= bool(np.isfinite(probability).all())
        difference += float(np.abs(probability - probability_ref).sum(dtype=np.float64))
        if labels is not None:
            labelled = True
            for matrix, prediction in zip(confusion, (mask, mask_ref), strict=True):
                matrix += confusion_matrix(labels, prediction, classes, IGNORE_ID)
    points = 100 * abs(mean_iou(confusion[0]) - mean_iou(confusion[1])) if labelled else math.nan
    return Agreement(len(pairs), same / pixels, difference / pixels, points, finite)


def labelled_images(data: SourceConfig, limit: int) -> list[Pair]:
    """Up to ``limit`` images of the val split, spread evenly over it."""
    try:
        dataset = SegmentationDataset(open_source(data, "val").complete())
    except UserError as error:
        raise UserError(f"{error} (needed to check the file; or give --images DIR)") from error
    chosen = np.linspace(0, len(dataset) - 1, min(limit, len(dataset))).round().astype(int)
    samples = [dataset[int(i)] for i in chosen]
    return [(sample.image, sample.labels) for sample in samples]


def plain_images(folder: Path, limit: int) -> list[Pair]:
    """Up to ``limit`` images of a folder, in the order of their names."""
    if not folder.is_dir():
        raise UserError(f"--images {folder} is not a folder")
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
    if not paths:
        raise UserError(f"--images {folder} holds no image ({', '.join(IMAGE_SUFFIXES)})")
    return [(read_image(path), None) for path in paths[:limit]]


def _resized(pairs: list[Pair], size: tuple[int, int]) -> Iterator[Pair]:
    """Bring images and labels to the file's (H, W), so that both sides see the same pixels."""
    for image, labels in pairs:
        if image.shape[:2] != size:
            image = np.asarray(cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA), np.uint8)
            if labels is not None:
                resized = cv2.resize(labels, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
                labels = np.asarray(resized, np.uint8)
        yield image, labels
