"""Pseudo-labels: a teacher's classes as the labels of images that nobody labelled.

With the teacher's probabilities p of a pixel, the softmax of its logits, the pixel's label is ::

    argmax p   where max p ≥ t,   and ignored (255) elsewhere

They are made once, before training, from the logits for the whole image, and written as label files. So
training reads, cuts and weighs them like labels by hand: they have borders, which border-focal and KL-border
give more weight, and the teacher's probabilities themselves do not.

Source: Lee, *Pseudo-Label: The Simple and Efficient Semi-Supervised Learning Method for Deep Neural
Networks*, ICML workshop 2013. The threshold t is that of Sohn et al., *FixMatch*, NeurIPS 2020.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from distill.datasets.frame import Frame
from distill.training.cached_maps import write_shared
from kd_seg_ros.common.classes import IGNORE_ID
from kd_seg_ros.common.errors import UserError


def pseudo_labels(logits: Tensor, size: tuple[int, int], threshold: float) -> npt.NDArray[np.uint8]:
    """Return the teacher's classes where it is sure enough.

    :param logits: [C, h, w] of a whole image, at any resolution.
    :param size: height and width of the image in pixels.
    :param threshold: least probability of the class, 0…1.
    :return: uint8 [H, W], 0 to C − 1, 255 = ignored.
    """
    full = F.interpolate(logits[None].float(), size=size, mode="bilinear", align_corners=False)[0]
    probability, classes = torch.softmax(full, dim=0).max(dim=0)
    labels = torch.where(probability >= threshold, classes, IGNORE_ID)
    return labels.to(torch.uint8).cpu().numpy()


@dataclass(frozen=True)
class PseudoLabeller:
    """Writes pseudo-labels as label files, and gives them to the frames that have no labels."""

    threshold: float
    """Least probability of a label, 0…1."""
    num_classes: int
    """C of the logits."""

    def file(self, logits: Path) -> Path:
        """Return the label file that goes with a file of logits; there is one for each threshold."""
        return logits.with_name(f"{logits.stem}_{self.threshold:g}.png")

    def write(self, file: Path, logits: Tensor, size: tuple[int, int]) -> None:
        """Write the pseudo-labels of one image.

        :param file: of the logits.
        :param logits: [C, h, w].
        :param size: height and width of the image in pixels.
        :raises UserError: if they cannot be written.
        """
        content = cv2.imencode(".png", pseudo_labels(logits, size, self.threshold))[1].tobytes()
        write_shared(self.file(file), lambda own: own.write_bytes(content))

    def labelled(self, frame: Frame, logits: Path) -> Frame:
        """Return a frame that has no labels with its pseudo-labels, whose file may not be there yet.

        :param logits: the file of its logits.
        """
        return replace(frame, labels=self.file(logits), label_map=None, num_classes=self.num_classes)


def check_unlabelled(frames: Sequence[Frame], root: str) -> None:
    """Refuse pseudo-labels for a training whose images all have labels.

    :param root: names the data in the error.
    :raises UserError: saying how images without labels are given.
    """
    if frames and all(frame.labels is not None for frame in frames):
        raise UserError(
            f"{root}: teacher.pseudo_labels label images that have no labels, and all {len(frames)} training "
            "images have some: give others by data.extra with labels: null, or by data.unlabelled: keep"
        )
