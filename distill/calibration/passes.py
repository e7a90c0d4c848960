"""The passes over the images: logits of single pixels to fit on, then scores of whole images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from distill.common.device import default_device
from distill.datasets.frame import Frame, read_sample
from distill.evaluation.evaluation import Evaluation
from distill.evaluation.metrics_json import FULL, condition_key
from distill.evaluation.predictors import Publisher
from distill.evaluation.risk_scores import RiskScores
from distill.metrics import confusion_matrix
from distill.models.deployed import DeployedModel
from distill.models.logit_calibration import LogitCalibration
from kd_seg_ros.common.classes import IGNORE_ID
from kd_seg_ros.inference.risk import Rule

Confusion = dict[str, NDArray[np.int64]]
"""Confusion matrices [C, C + 1] by condition and in total, see :mod:`distill.metrics.confusion`."""
Name = TypeVar("Name", bound=str)


@dataclass
class DrawnPixels:
    """N pixels drawn from some images, and how the uncalibrated network does on all of these images."""

    logits: Tensor
    """[N, C], uncalibrated."""
    labels: Tensor
    """int64 [N], 0…C−1."""
    confusion: Confusion = field(default_factory=dict)


def draw_pixels(
    model: DeployedModel, frames: Sequence[Frame], pixels: int, classes: int, progress: bool = False
) -> DrawnPixels:
    """Draw labelled pixels, evenly from all images; the same ones each time.

    :param model: gives the uncalibrated logits.
    :param pixels: how many to draw; images with fewer labelled pixels than their share give what they have.
    :param progress: show a progress bar on standard error.
    """
    model = model.to(default_device())
    share = -(-pixels // len(frames))
    rng = np.random.default_rng(0)
    logits, all_labels, confusion = [], [], Confusion()
    for condition, image, labels in _labelled(frames, "logits", progress):
        flat = labels.ravel()
        labelled = np.flatnonzero(flat != IGNORE_ID)
        chosen = rng.choice(labelled, min(share, len(labelled)), replace=False)
        of_image = _logits(model, image)
        logits.append(of_image.flatten(1)[:, torch.from_numpy(chosen).to(of_image.device)].T.cpu())
        all_labels.append(torch.from_numpy(flat[chosen].astype(np.int64)))
        _count(confusion, condition, labels, of_image.argmax(0), classes)
    return DrawnPixels(torch.cat(logits), torch.cat(all_labels), confusion)


def count_masks(
    model: DeployedModel, frames: Sequence[Frame], classes: int, progress: bool = False
) -> Confusion:
    """Compare the masks of a calibrated network with the labels.

    :param progress: show a progress bar on standard error.
    """
    model = model.to(default_device())
    confusion = Confusion()
    for condition, image, labels in _labelled(frames, "count", progress):
        with torch.inference_mode():
            _, mask = model.scores(torch.from_numpy(image).to(default_device()))
        _count(confusion, condition, labels, mask, classes)
    return confusion


def count_risks(
    publish: Publisher,
    frames: Sequence[Frame],
    rules: Sequence[Rule],
    class_names: Sequence[str],
    progress: bool = False,
) -> RiskScores:
    """Count what thresholds of the published confidence keep, for some rules.

    :param publish: gives mask and confidence, as they will be on the vehicle.
    :param progress: show a progress bar on standard error.
    """
    scores = RiskScores(rules, class_names)
    for number, (condition, image, labels) in enumerate(_labelled(frames, "thresholds", progress)):
        scores.update(condition, str(frames[number].image.parent), labels, *publish(image))
    return scores


def score_all(
    model: DeployedModel,
    frames: Sequence[Frame],
    calibrations: Mapping[Name, LogitCalibration],
    class_names: Sequence[str],
    progress: bool = False,
) -> dict[Name, Evaluation]:
    """Score the same logits under several calibrations.

    :param model: gives the uncalibrated logits.
    :param progress: show a progress bar on standard error.
    :return: the scores by calibration.
    :raises ValueError: if a logit is not finite.
    """
    model = model.to(default_device())
    evaluations = {name: Evaluation(class_names) for name in calibrations}
    for number, (condition, image, labels) in enumerate(_labelled(frames, "compare", progress)):
        logits = _logits(model, image)
        for name, calibration in calibrations.items():
            scores = calibration.apply(logits)
            evaluations[name].update(condition, frames[number].image.name, labels, scores)
    return evaluations


def _labelled(
    frames: Sequence[Frame], doing: str, progress: bool
) -> Iterator[tuple[str, NDArray[np.uint8], NDArray[np.uint8]]]:
    """Read frames one after the other; yield condition, image [H, W, 3] and labels [H, W]."""
    for frame in tqdm(frames, doing, unit="image", disable=not progress):
        sample = read_sample(frame)
        assert sample.labels is not None
        yield sample.condition, sample.image, sample.labels


def _logits(model: DeployedModel, image: NDArray[np.uint8]) -> Tensor:
    """Return the uncalibrated logits [C, H, W] of an image."""
    with torch.inference_mode():
        return model.logits(torch.from_numpy(image).to(default_device()))[0]


def _count(
    confusion: Confusion, condition: str, labels: NDArray[np.uint8], mask: Tensor, classes: int
) -> None:
    """Add the pixels of one image to the matrices of its condition and of the total."""
    found = confusion_matrix(labels, mask.to(torch.uint8).cpu().numpy(), classes, IGNORE_ID)
    for key in dict.fromkeys((FULL, condition_key(condition))):
        confusion[key] = confusion.get(key, np.zeros_like(found)) + found
