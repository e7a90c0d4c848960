"""The gate of every export: does the file do what the network in PyTorch does?

The file runs in half precision, so single logits may differ; what must agree is what the vehicle uses:
the class of (nearly) every pixel, the mIoU, and the confidence.

On altered images (:func:`distill.export.check_images.altered_images`) a network is often undecided between
two classes, and rounding decides. So there a pixel counts as the same as well if the network itself finds the
file's class nearly as probable as its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from distill.evaluation.predictors import engine_segmenter, torch_predictor, torch_segmenter
from distill.export.check_images import Pair
from distill.metrics import confusion_matrix, mean_iou
from distill.models.deployed import DeployedModel
from kd_seg_ros.common.classes import IGNORE_ID
from kd_seg_ros.common.logs import progress_shown
from kd_seg_ros.inference.engine import Engine


@dataclass(frozen=True)
class Limits:
    """How far a file may be from its network."""

    argmax: float
    """Least share of pixels that must get the same class, 0…1."""
    miou_points: float
    """Greatest allowed difference in mIoU, in points of 100."""
    confidence: float
    """Greatest allowed mean absolute difference in confidence, 0…1."""
    clear: float
    """Least share of pixels of an altered image that must get the same class, or one that the network finds
    nearly as probable, 0…1."""


HALF_LIMITS: Final = Limits(argmax=0.995, miou_points=0.3, confidence=0.01, clear=0.995)
"""Limits of files in half or single precision: rounding makes less."""
INT8_LIMITS: Final = Limits(argmax=0.97, miou_points=1.0, confidence=0.03, clear=0.95)
"""Limits of files with layers in INT8: what a network of INT8 must be worth to be used in its place."""
UNDECIDED = 0.05
"""Classes whose probabilities differ by less are nearly as probable as each other, 0…1."""


@dataclass(frozen=True)
class AlteredAgreement:
    """How closely a file follows the network on one altered image."""

    argmax: float
    """Share of pixels that get the same class, 0…1."""
    clear: float
    """Share of pixels that get the same class or one that the network finds nearly as probable, 0…1."""


@dataclass(frozen=True)
class Agreement:
    """How closely a file follows the network, over some images."""

    images: int
    """Number of images that were compared."""
    argmax: float
    """Share of pixels that get the same class, 0…1."""
    confidence: float
    """Mean absolute difference in confidence, 0…1."""
    miou_points: float
    """Absolute difference in mIoU, in points of 100; NaN without labels."""
    finite: bool
    """Whether all probabilities of the file are numbers."""
    altered: Mapping[str, AlteredAgreement] = field(default_factory=dict)
    """The same for altered images, by kind."""

    def failures(self, limits: Limits = HALF_LIMITS) -> list[str]:
        """Name each limit that is not kept, and by how much."""
        failures = []
        if not self.finite:
            failures.append("its probabilities hold NaN or infinity")
        if not self.argmax >= limits.argmax:
            failures.append(f"argmax agreement {self.argmax:.2%} is below {limits.argmax:.1%}")
        if not self.confidence <= limits.confidence:
            failures.append(
                f"mean absolute confidence difference {self.confidence:.4f} is above {limits.confidence:g}"
            )
        if self.miou_points > limits.miou_points:
            failures.append(
                f"mIoU differs by {self.miou_points:.2f} points, more than {limits.miou_points:g}"
            )
        for kind, found in self.altered.items():
            if not found.clear >= limits.clear:
                failures.append(
                    f"argmax agreement on a {kind} image {found.clear:.2%} is below {limits.clear:.1%}, "
                    "pixels between two nearly equal classes left out"
                )
        return failures

    def weak(self) -> list[str]:
        """Return the kinds of altered images whose classes agree less than those of plain ones must."""
        return [kind for kind, found in self.altered.items() if not found.argmax >= HALF_LIMITS.argmax]

    def describe(self, reference: str = "PyTorch in FP32") -> str:
        """Return one line for the terminal; ``reference`` says what the file was compared with."""
        miou = (
            "no labels" if math.isnan(self.miou_points) else f"mIoU differs by {self.miou_points:.3f} points"
        )
        altered = ", ".join(f"{kind} {found.argmax:.3%}" for kind, found in self.altered.items())
        return (
            f"agreement with {reference} over {self.images} images: argmax {self.argmax:.3%}, "
            f"mean confidence difference {self.confidence:.5f}, {miou}"
            f"{'; altered: ' if altered else ''}{altered}"
        )

    def as_dict(self) -> dict[str, float]:
        """Return what was measured, for the model card."""
        values = {
            "images": float(self.images),
            "argmax": self.argmax,
            "confidence": self.confidence,
            "miou_points": self.miou_points,
            "finite": float(self.finite),
        }
        for kind, found in self.altered.items():
            values |= {f"argmax_{kind}": found.argmax, f"clear_{kind}": found.clear}
        return {name: value for name, value in values.items() if not math.isnan(value)}


def measure_agreement(model: DeployedModel, engine: Engine, pairs: list[Pair]) -> Agreement:
    """Compare a file with the network it was made from, on images brought to the file's size.

    :param model: the network in PyTorch.
    :param engine: the file.
    :param pairs: images, with labels where the mIoU is to be compared too.
    """
    of_file, of_network = engine_segmenter(engine), torch_segmenter(model)
    classes = len(engine.card.class_names)
    confusion_file = np.zeros((classes, classes + 1), np.int64)
    confusion_network = np.zeros_like(confusion_file)
    same = pixels = 0
    difference = 0.0
    finite = True
    labelled = False
    resized = _resized(pairs, engine.size)
    for image, labels in tqdm(resized, "check", len(pairs), unit="image", disable=not progress_shown()):
        mask, probability = of_file(image)
        expected_mask, expected_probability = of_network(image)
        same += int((mask == expected_mask).sum())
        pixels += mask.size
        finite &= bool(np.isfinite(probability).all())
        difference += float(np.abs(probability - expected_probability).sum(dtype=np.float64))
        if labels is not None:
            labelled = True
            confusion_file += confusion_matrix(labels, mask, classes, IGNORE_ID)
            confusion_network += confusion_matrix(labels, expected_mask, classes, IGNORE_ID)

    miou_points = math.nan
    if labelled:
        miou_points = 100 * abs(mean_iou(confusion_file) - mean_iou(confusion_network))
    return Agreement(len(pairs), same / pixels, difference / pixels, miou_points, finite)


def measure_altered(
    model: DeployedModel, engine: Engine, images: Mapping[str, NDArray[np.uint8]]
) -> dict[str, AlteredAgreement]:
    """Compare a file with the network it was made from on altered images, brought to the file's size.

    :param images: by kind.
    """
    of_file, of_network = engine_segmenter(engine), torch_predictor(model)
    found = {}
    resized = _resized([(image, None) for image in images.values()], engine.size)
    for kind, (image, _) in zip(images, resized, strict=True):
        mask = torch.from_numpy(of_file(image)[0].astype(np.int64))
        probabilities = of_network(image).exp().cpu()
        best, expected = probabilities.max(0)
        # A file that has overflowed may answer with a class that there is not.
        exists = mask < len(probabilities)
        of_mask = probabilities.gather(0, torch.where(exists, mask, 0)[None])[0]
        same, nearly = mask == expected, exists & (best - of_mask < UNDECIDED)
        found[kind] = AlteredAgreement(float(same.float().mean()), float((same | nearly).float().mean()))
    return found


def brought_to(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Resize an RGB image [H, W, 3] to (H, W), averaging over the covered area where it shrinks."""
    return np.asarray(cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA), np.uint8)


def _resized(pairs: list[Pair], size: tuple[int, int]) -> Iterator[Pair]:
    """Yield images and labels brought to the file's (H, W), so that file and network see the same pixels."""
    for image, labels in pairs:
        if image.shape[:2] != size:
            image = brought_to(image, size)
            if labels is not None:
                resized = cv2.resize(labels, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
                labels = np.asarray(resized, np.uint8)
        yield image, labels
