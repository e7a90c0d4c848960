"""A trained model, opened for evaluation: a checkpoint, or an exported file run as the vehicle runs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from distill.checkpoints.stored_calibration import load_calibration, load_thresholds
from distill.checkpoints.student import deployed, load_student
from distill.checkpoints.trained_images import IMAGES_KEY, training_images_of
from distill.checkpoints.training_cost import COST_KEY, cost_of_checkpoint
from distill.config import DataConfig
from distill.datasets.training_images import TrainingImages
from distill.evaluation.metrics_json import about_model_file
from distill.evaluation.onnx_predictor import ScoringEngine, open_engine
from distill.evaluation.predictors import (
    DistancePredictor,
    Predictor,
    Publisher,
    Segmenter,
    engine_publisher,
    engine_segmenter,
    torch_predictor,
    torch_publisher,
    torch_segmenter,
)
from distill.models.logit_calibration import NONE, LogitCalibration
from kd_seg_ros.common.files import sha256
from kd_seg_ros.inference.card import ModelCard
from kd_seg_ros.inference.risk import RiskThreshold


@dataclass(frozen=True)
class EvaluatedModel:
    """A model that can be evaluated, with what its document says about it."""

    path: Path
    class_names: tuple[str, ...]
    """The names of the classes by trainId."""
    data: DataConfig | None
    """The data set it was trained on; None if it does not say so in terms that this version understands."""
    about: dict[str, Any]
    """The entry ``model`` of metrics.json."""
    segment: Segmenter
    """Gives mask and confidence of an image."""
    publish: Publisher
    """Gives both as bytes, as on the vehicle."""
    predict: Predictor | None
    """Gives the probabilities of all classes; None: the model gives mask and confidence only."""
    size: tuple[int, int] | None = None
    """Height and width of the images, where the model takes only one size."""
    risk: tuple[RiskThreshold, ...] = ()
    """Thresholds of the confidence with a promise."""
    domain: Mapping[str, Any] = field(default_factory=dict)
    """What the domain distance was in calibration, of the model card; empty: the model does not tell one."""
    predict_with_distance: DistancePredictor | None = None
    """As :attr:`predict`, with the image's domain distance; None: the model does not tell one."""
    training_images: TrainingImages | None = None
    """The images that it was trained on; None if it does not say."""


def open_checkpoint(path: Path) -> EvaluatedModel:
    """Open a checkpoint, with the calibration stored next to it.

    :raises UserError: if one of the two is damaged, or they do not belong together.
    """
    network, config = load_student(path)
    trained = training_images_of(path)
    model = deployed(network, config, load_calibration(path) or NONE)
    return EvaluatedModel(
        path,
        config.data.class_names,
        config.data,
        _about(path, config.name, model.calibration, network.deployed_parameters())
        | _cost(path)
        | _number(trained),
        torch_segmenter(model),
        torch_publisher(model),
        torch_predictor(model),
        risk=load_thresholds(path, config.data.class_names),
        training_images=trained,
    )


def open_onnx(path: Path, provider: str) -> EvaluatedModel:
    """Open a file of `export`.

    :param provider: one of :data:`~kd_seg_ros.inference.providers.PROVIDERS`.
    :raises UserError: if it cannot be read or run.
    """
    engine = open_engine(path, provider)
    card = engine.card
    scoring = engine if isinstance(engine, ScoringEngine) else None
    trained = TrainingImages.parse(card.training_images)
    return EvaluatedModel(
        path,
        card.class_names,
        data_of(card),
        about_model_file(path, card) | _number(trained),
        engine_segmenter(engine),
        engine_publisher(engine),
        scoring.predict if scoring else None,
        engine.size,
        risk=card.risk,
        domain=card.domain if scoring else {},
        predict_with_distance=scoring.predict_with_distance if scoring and card.domain else None,
        training_images=trained,
    )


def _about(path: Path, name: str, calibration: LogitCalibration, parameters: int) -> dict[str, Any]:
    return {
        "file": path.name,
        "path": str(path.absolute()),
        "sha256": sha256(path),
        "name": name,
        "temperature": calibration.temperature,
        "calibration": {"method": calibration.method, "parameters": calibration.parameters()},
        "parameters": parameters,
    }


def _number(trained: TrainingImages | None) -> dict[str, Any]:
    """Return the number of training images, as an entry of ``model``; empty if unknown."""
    return {} if trained is None else {IMAGES_KEY: trained.count}


def _cost(path: Path) -> dict[str, Any]:
    """Return what the training of a checkpoint has cost, as an entry of ``model``; empty if unknown."""
    cost = cost_of_checkpoint(path)
    return {} if cost is None else {COST_KEY: cost.document()}


def data_of(card: ModelCard) -> DataConfig | None:
    """Return the data of a card's configuration; its other keys may be those of another version."""
    try:
        return DataConfig.model_validate(card.config.get("data"))
    except ValidationError:
        return None
