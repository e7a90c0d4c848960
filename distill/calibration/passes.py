"""What calibration asks of the network: logits of single pixels to fit on, and scores of whole images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from distill.common.device import default_device
from distill.data.dataset import SegmentationDataset
from distill.evaluation.evaluation import Evaluation
from distill.evaluation.metrics_json import FULL
from distill.metrics import confusion_matrix
from distill.models.deployed import DeployedModel
from distill.models.logit_calibration import LogitCalibration
from kd_seg_ros.common.classes import IGNORE_ID

Confusion = dict[str, NDArray[np.int64]]
"""By condition, and :data:`~distill.evaluation.metrics_json.FULL`: [C, C + 1], see
:mod:`distill.metrics.confusion`."""


@dataclass
class Drawn:
    """N pixels drawn from some images, and how the network does on all of these images."""

    logits: Tensor
    """[N, C], uncalibrated."""
    labels: Tensor
    """int64 [N]."""
    confusion: Confusion = field(default_factory=dict)


def draw_pixels(model: DeployedModel, dataset: SegmentationDataset, pixels: int, classes: int) -> Drawn:
    """Draw labelled pixels, evenly from all images; the same ones each time."""
    model = model.to(default_device())
    share = -(-pixels // len(dataset))
    rng = np.random.default_rng(0)
    logits, labels, confusion = [], [], Confusion()
    for sample in tqdm(dataset, "fit", unit="image"):
        flat = sample.labels.ravel()
        labelled = np.flatnonzero(flat != IGNORE_ID)
        chosen = rng.choice(labelled, min(share, len(labelled)), replace=False)
        image = _logits(model, sample.image)
        logits.append(image.flatten(1)[:, torch.from_numpy(chosen).to(image.device)].T.cpu())
        labels.append(torch.from_numpy(flat[chosen].astype(np.int64)))
        _count(confusion, sample.condition, sample.labels, image.argmax(0), classes)
    return Drawn(torch.cat(logits), torch.cat(labels), confusion)


def count_masks(model: DeployedModel, dataset: SegmentationDataset, classes: int) -> Confusion:
    """Compare the masks of a calibrated network with the labels."""
    model = model.to(default_device())
    confusion = Confusion()
    for sample in tqdm(dataset, "count", unit="image"):
        with torch.inference_mode():
            _, mask = model.scores(torch.from_numpy(sample.image).to(default_device()))
        _count(confusion, sample.condition, sample.labels, mask, classes)
    return confusion


def score_all(
    model: DeployedModel,
    dataset: SegmentationDataset,
    calibrations: Mapping[str, LogitCalibration],
    class_names: Sequence[str],
) -> dict[str, Evaluation]:
    """Score the same logits under several calibrations.

    :param model: of which the uncalibrated logits are taken.
    :return: the scores by calibration.
    :raises ValueError: if a logit is not finite.
    """
    model = model.to(default_device())
    evaluations = {name: Evaluation(class_names) for name in calibrations}
    for sample in tqdm(dataset, "compare", unit="image"):
        logits = _logits(model, sample.image)
        for name, calibration in calibrations.items():
            scores = calibration.apply(logits)
            evaluations[name].update(sample.condition, sample.path.name, sample.labels, scores)
    return evaluations


def _logits(model: DeployedModel, image: NDArray[np.uint8]) -> Tensor:
    """Uncalibrated logits [C, H, W] of an image."""
    with torch.inference_mode():
        return model.logits(torch.from_numpy(image).to(default_device()))[0]


def _count(
    confusion: Confusion, condition: str, labels: NDArray[np.uint8], mask: Tensor, classes: int
) -> None:
    found = confusion_matrix(labels, mask.to(torch.uint8).cpu().numpy(), classes, IGNORE_ID)
    for key in (FULL, condition):
        confusion[key] = confusion.get(key, np.zeros_like(found)) + found
