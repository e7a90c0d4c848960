"""Calibrates a network by every method and compares them: the work of ``calibrate``, without its printing.

All methods are fitted on one half of the labelled images and compared on the other
(:mod:`distill.calibration.halves`). What is stored for ``evaluate`` and ``export`` is exactly what was
compared: there is no second fit on all images.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from distill.calibration.halves import split
from distill.calibration.kept import why_not
from distill.calibration.methods import METHODS, fit_all, rare_classes
from distill.calibration.passes import (
    Confusion,
    count_masks,
    count_risks,
    draw_pixels,
    score_all,
)
from distill.calibration.risk_thresholds import RiskThresholds, find_thresholds
from distill.checkpoints.stored_calibration import SCHEMA_VERSION, UNCALIBRATED
from distill.common.calibration_methods import TEMPERATURE, Method
from distill.common.files import plain
from distill.datasets.frame import Frame
from distill.evaluation.image_scores import ImageScores
from distill.evaluation.metrics_json import FULL
from distill.evaluation.predictors import torch_publisher
from distill.evaluation.risk_scores import RiskScores
from distill.metrics import mean_iou
from distill.metrics.calibration import closed_last_bin
from distill.models.deployed import DeployedModel
from distill.models.logit_calibration import NONE, LogitCalibration
from kd_seg_ros.inference.accuracy import bin_accuracy, expected_accuracy
from kd_seg_ros.inference.risk import Rule, Unit

_logger = logging.getLogger(__name__)

Scores = dict[str, dict[str, Any]]
"""The scores of a metrics.json by condition, see
:meth:`~distill.evaluation.mask_scores.MaskScores.summary`."""


@dataclass(frozen=True)
class CalibrationResult:
    """The calibration by one method, and the scores of all methods on the images that none was fitted on."""

    class_names: Sequence[str]
    """The names of the classes, in the order of the logits."""
    method: Method
    """The method that was asked for."""
    calibration: LogitCalibration
    """What the method found; it is stored only if it is :attr:`kept`."""
    faults: Mapping[Method, str]
    """Why each method must not be kept, see :func:`~distill.calibration.kept.why_not`; empty if it may be."""
    scores: Mapping[str, Scores]
    """The scores by method; :data:`~distill.checkpoints.stored_calibration.UNCALIBRATED` comes first."""
    fitted_images: int
    fitted_pixels: int
    reported_images: int
    held_out: bool
    """False if a single image was given, so that the methods are scored on the image they were fitted on."""
    miou: Mapping[str, float | None]
    """The mIoU of the network by condition, over all images, calibrated if the calibration is kept."""
    expected_accuracy: Mapping[str, tuple[float, float]]
    """The range that the vehicle's drift diagnosis takes for normal, by condition."""
    rare: Mapping[Method, Sequence[str]]
    """The classes with too few pixels for separate parameters, by method."""
    risk: RiskThresholds
    """The thresholds for the rules that were asked for, and why some have none."""

    @property
    def kept(self) -> bool:
        """False if the network stays as it is, because the calibration would make it worse."""
        return not self.faults[self.method]

    @property
    def stored(self) -> LogitCalibration:
        """What is deployed: the calibration if it is :attr:`kept`, else none."""
        return self.calibration if self.kept else NONE

    def document(self, model_sha256: str, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return the content of the calibration file, described in docs/model_file.md.

        :param model_sha256: SHA-256 of the checkpoint, or of the model file, that was calibrated.
        :param data: which images it was calibrated on, see
            :func:`~distill.data.evaluation_images.describe_images`.
        """
        return {
            "schema_version": SCHEMA_VERSION,
            "checkpoint_sha256": model_sha256,
            "method": self.method if self.kept else UNCALIBRATED,
            "parameters": self.calibration.parameters() if self.kept else {},
            "not_kept": {method: fault for method, fault in self.faults.items() if fault},
            "data": dict(data),
            "fitted_on": {"images": self.fitted_images, "pixels": self.fitted_pixels},
            "reported_on": {"images": self.reported_images},
            "held_out": self.held_out,
            "scores": dict(self.scores),
            "miou": dict(self.miou),
            "expected_accuracy": dict(self.expected_accuracy),
            "risk": [asdict(threshold) for threshold in self.risk.thresholds],
        }


def calibrate(
    model: DeployedModel,
    names: Sequence[str],
    frames: Sequence[Frame],
    method: Method = TEMPERATURE,
    pixels: int = 2_000_000,
    progress: bool = False,
    rules: Sequence[Rule] = (),
    unit: Unit = "image",
) -> CalibrationResult:
    """Fit all methods on one half of the images and score them on the other.

    :param model: the uncalibrated network, of a checkpoint or of a model file.
    :param names: the model's classes, in the order of its logits.
    :param frames: labelled images.
    :param method: the one to deploy.
    :param pixels: labelled pixels to fit on, drawn evenly from the images of the first half.
    :param progress: show progress bars on standard error.
    :param rules: find thresholds for these, on the half that the calibration was not fitted on.
    :param unit: what the rules promise a mean over.
    :raises ValueError: if no pixel has a label or a logit is not finite.
    :raises UserError: if an image cannot be read.
    """
    # 1. One half of the images to fit on, the other to report on.
    half, others = split(frames)
    reported = others or half
    if not others:
        _logger.warning("a single image: the scores below are not held out, it was calibrated on")

    # 2. Fit every method on pixels of the first half.
    drawn = draw_pixels(model, half, pixels, len(names), progress)
    fitted = fit_all(drawn.logits, drawn.labels, progress)
    calibration = fitted[method]

    # 3. Score every method, and the network as it was, on the other half.
    evaluations = score_all(model, reported, {UNCALIBRATED: NONE, **fitted}, names, progress)
    scores = {name: evaluation.summary() for name, evaluation in evaluations.items()}

    # 4. Keep the calibration only if it makes nothing worse.
    full = {name: of_method[FULL] for name, of_method in scores.items()}
    faults = {name: why_not(found, full[UNCALIBRATED], full[name]) for name, found in fitted.items()}
    stored = UNCALIBRATED if faults[method] else method

    # 5. Thresholds of the confidence that will be published, on images that it was not fitted on.
    published = NONE if stored == UNCALIBRATED else calibration
    risks = RiskScores((), names)
    if rules:
        publish = torch_publisher(model.calibrated(published))
        risks = count_risks(publish, reported, rules, names, progress)

    # 6. The mIoU of all images: that of the first half is known already if the mask is the uncalibrated one.
    confusion = drawn.confusion
    if stored != UNCALIBRATED and not METHODS[method].keeps_mask:
        confusion = count_masks(model.calibrated(calibration), half, len(names), progress)

    return CalibrationResult(
        class_names=names,
        method=method,
        calibration=calibration,
        faults=faults,
        scores=scores,
        fitted_images=len(half),
        fitted_pixels=len(drawn.labels),
        reported_images=len(reported),
        held_out=bool(others),
        miou=pooled_miou(confusion, scores[stored] if others else {}),
        expected_accuracy=seen_ranges(evaluations[stored].images(), scores[stored]),
        risk=find_thresholds(risks, unit),
        rare={name: rare_classes(name, drawn.logits, drawn.labels, names) for name in METHODS},
    )


def pooled_miou(confusion: Confusion, held_out: Scores) -> dict[str, float | None]:
    """Return the mIoU by condition over both halves of the images.

    :param confusion: the matrices [C, C + 1] of the first half.
    :param held_out: the scores of the second half.
    """
    pooled = dict(confusion)
    for condition, summary in held_out.items():
        other = np.array(summary["confusion"])
        pooled[condition] = pooled.get(condition, np.zeros_like(other)) + other
    return {condition: plain(mean_iou(matrix)) for condition, matrix in pooled.items()}


def seen_ranges(images: ImageScores, scores: Scores) -> dict[str, tuple[float, float]]:
    """Return the range of the images' expected accuracy by condition: from the 1st to the 99th percentile.

    The vehicle does not know its condition and computes the expected accuracy from the reliability table of
    all conditions; so does this.
    """
    # The images' tables have a separate cell for confidence of exactly 1; the reliability table has not.
    counts = closed_last_bin(images.count)
    values = expected_accuracy(counts, bin_accuracy(scores[FULL]["reliability"]))
    labelled = ~np.isnan(values)
    ranges = {}
    for condition in scores:
        chosen = values[labelled & ((images.conditions == condition) | (condition == FULL))]
        if len(chosen):
            low, high = np.quantile(chosen, [0.01, 0.99])
            ranges[condition] = float(low), float(high)
    return ranges
