"""What calibration finds for a model file, written into a new file: into its graph and its card."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from distill.calibration.accuracy_fit import SPOILT, fit_correction, measure_images
from distill.calibration.calibrate import CalibrationResult
from distill.calibration.domain_fit import DomainDistance, measure_distance
from distill.calibration.passes import count_risks
from distill.calibration.risk_thresholds import RiskThresholds, find_thresholds
from distill.datasets.frame import Frame
from distill.evaluation.evaluated_model import EvaluatedModel
from distill.export.check_images import spread_images
from distill.export.domain_file import StatisticsOfMaps, write_distance
from distill.export.file_model import FileModel
from distill.export.model_card import recalibrated_card, write_thresholds
from distill.export.recalibrate import write_recalibrated
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.inference.accuracy import AccuracyEstimator
from kd_seg_ros.inference.card import FULL, ModelCard
from kd_seg_ros.inference.engine import Engine
from kd_seg_ros.inference.risk import Rule, Unit

_logger = logging.getLogger(__name__)

CHECKED_IMAGES: Final = 8
"""A calibrated ONNX file is compared with its network on so many of the images."""


def write_calibrated(
    path: Path,
    out: Path,
    card: ModelCard,
    model: FileModel,
    result: CalibrationResult,
    document: Mapping[str, Any],
    frames: Sequence[Frame],
    provider: str,
) -> None:
    """Write a model file again with another calibration, and with the thresholds that were found for it.

    :param path: the file to begin with; ``card`` is its card and ``model`` its network.
    :param document: content of the calibration file, see
        :meth:`~distill.calibration.calibrate.CalibrationResult.document`.
    :param frames: the images it was calibrated on; some are segmented by the new file and by the network.
    :param provider: one of :data:`~kd_seg_ros.inference.providers.PROVIDERS`.
    :raises UserError: if the two do not agree or the file cannot be written; then there is no file.
    """
    if card.risk and not document["risk"]:
        _logger.warning("the thresholds of %s held for its old calibration: they are left out", path)
    if card.accuracy_correction:
        _logger.warning(
            "the corrected expected accuracy of %s held for its old calibration: it is left out; --domain "
            "fits it again",
            path,
        )
    pairs = spread_images(frames, CHECKED_IMAGES)
    found = recalibrated_card(card, document)
    agreement = write_recalibrated(path, out, found, model, result.stored, pairs, provider)
    _logger.info("%s", agreement)


def write_promised(
    model: EvaluatedModel,
    out: Path,
    frames: Sequence[Frame],
    rules: Sequence[Rule],
    unit: Unit,
    progress: bool = False,
    trained_on: int | None = None,
) -> RiskThresholds:
    """Write a model file again with thresholds for the calibration that it holds, if any were found.

    :param frames: labelled images, others than the file was calibrated on.
    :param unit: what the rules promise a mean over.
    :param progress: show a progress bar on standard error.
    :param trained_on: on how many of the images the model was trained; the card then says so.
    :return: the thresholds, and why some rules have none.
    :raises UserError: if the file cannot be read or written, or an image cannot be read.
    """
    scores = count_risks(model.publish, frames, rules, model.class_names, progress)
    risk = find_thresholds(scores, unit)
    if risk.thresholds:
        write_thresholds(model.path, risk.thresholds, out, trained_on)
        _logger.info("%d thresholds written into %s", len(risk.thresholds), out)
    return risk


@dataclass(frozen=True)
class FittedDistance:
    """A domain distance that was fitted to the early feature maps of a model file's network."""

    statistics: StatisticsOfMaps
    """Of the file."""
    frames: Sequence[Frame]
    """The images that it was fitted to, with labels or without."""
    distance: DomainDistance
    source: str
    """Which images these are, in words for the card."""

    @property
    def entry(self) -> dict[str, Any]:
        """The card's entry, see :attr:`kd_seg_ros.inference.card.ModelCard.domain`."""
        return self.distance.of_card(self.source)

    def write(self, path: Path, out: Path, provider: str = "cpu", progress: bool = False) -> None:
        """Write a file of the same network again, with this distance.

        Where the images have labels, the expected accuracy is corrected by it, too.

        :param path: the file, which may have another calibration than the one the distance was fitted to.
        :param provider: what the network runs on where they have labels, one of
            :data:`~kd_seg_ros.inference.providers.PROVIDERS`.
        :param progress: show a progress bar on standard error.
        :raises UserError: if an image cannot be read or the file cannot be written.
        """
        correction = {}
        if all(frame.labels is not None for frame in self.frames):
            correction = self._correction(path, provider, progress)
        else:
            _logger.info("without labels the expected accuracy cannot be corrected: it stays raw")
        maps, reference, entry = self.statistics.maps, self.distance.reference, self.entry
        write_distance(path, out, maps, reference, entry, correction)
        words = ", ".join(f"{value:.2f} ({percent} %)" for percent, value in entry["quantiles"].items())
        _logger.info("domain distance of %d images, %s, written into %s", entry["images"], words, out)

    def _correction(self, path: Path, provider: str, progress: bool) -> dict[str, Any]:
        """Return the card's entry ``accuracy_correction``; empty, with a warning, if none is good enough."""
        engine = Engine(path, provider)
        runs = (1 + SPOILT) * len(self.frames)
        _logger.info("correcting the expected accuracy: the network runs %d times", runs)
        estimator = AccuracyEstimator(engine.card.reliability.get(FULL), {})
        measured = measure_images(
            engine.segment, self.statistics.measure, self.frames, self.distance, estimator, progress
        )
        try:
            found = fit_correction(measured)
        except ValueError as error:
            _logger.warning("the expected accuracy is not corrected, but stays raw: %s", error)
            return {}
        _logger.info("expected accuracy: %s", found.describe())
        return found.of_card(self.source)


def fit_to_file(
    statistics: StatisticsOfMaps, frames: Sequence[Frame], source: str, progress: bool = False
) -> FittedDistance:
    """Fit a domain distance to some images, as a model file's network sees them.

    :param statistics: of the file.
    :param frames: images, which need no labels.
    :param source: which images these are, in words for the card.
    :param progress: show a progress bar on standard error.
    :raises UserError: if there are too few images, or one cannot be read.
    """
    try:
        found = measure_distance(statistics.measure, frames, progress)
    except ValueError as error:
        raise UserError(f"{statistics.path} gets no domain distance: {error}") from error
    return FittedDistance(statistics, frames, found, source)
