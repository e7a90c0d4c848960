"""The model card that an exported file carries: what the vehicle must know about the network."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any, Final

import onnx

from distill.checkpoints.stored_calibration import UNCALIBRATED, calibration_of, stored_thresholds
from distill.common.files import write_file
from distill.common.palette import palette
from distill.config import Config
from distill.data.data_check import describe_data, limitations
from distill.datasets.training_images import TrainingImages
from kd_seg_ros import __version__
from kd_seg_ros.common.classes import IGNORE_ID
from kd_seg_ros.common.files import sha256
from kd_seg_ros.inference.card import ModelCard
from kd_seg_ros.inference.contract import METADATA_KEY
from kd_seg_ros.inference.digest import seal, to_be_sealed
from kd_seg_ros.inference.onnx_file import read_onnx_file
from kd_seg_ros.inference.opening import read_card
from kd_seg_ros.inference.risk import RiskThreshold

EXTERNAL_LIMITATIONS: Final = (
    "A network from elsewhere: its accuracy and calibration were not measured by this software."
)
CALIBRATED_LIMITATIONS: Final = (
    "A network from elsewhere: what it was trained on is not known to this software, which has calibrated it "
    "and measured its accuracy."
)
INT8_LIMITATIONS: Final = (
    "In INT8: mIoU, calibration error and reliability are those of the network in floating point."
)
"""What a card says whose file is in INT8, until that has been calibrated itself."""
_ON_TRAINING_IMAGES: Final = "Calibrated on images that it was trained on"
"""What the limitation of a card begins with whose model was calibrated on images that it was trained on."""
_CALIBRATED: Final = "; as a file "
"""What stands in a card's data between what the network was trained on and what it was calibrated on."""


def trained_card(
    config: Config,
    calibrated: dict[str, Any] | None,
    size: tuple[int, int],
    parameters: int,
    multiple: int = 0,
    check: dict[str, Any] | None = None,
    images: TrainingImages | None = None,
) -> ModelCard:
    """Collect what is known of a network that was trained here.

    :param config: the experiment.
    :param calibrated: content of the checkpoint's calibration file
        (:mod:`distill.checkpoints.stored_calibration`); None if it was never calibrated.
    :param size: (H, W) of the camera's image.
    :param parameters: number of parameters of the deployed network.
    :param multiple: the resized image is padded to multiples of this.
    :param check: what was seen of the data before training (:mod:`distill.data.data_check`); None: not known.
    :param images: the training images; None: not known.
    """
    card = ModelCard(
        name=config.name,
        class_names=config.data.class_names,
        palette=palette(config.data.class_names),
        ignore_id=IGNORE_ID,
        height=size[0],
        width=size[1],
        working_scale=config.data.working_scale,
        mean=config.data.mean,
        std=config.data.std,
        temperature=1.0,
        parameters=parameters,
        padding_multiple=multiple,
        dataset=describe_data(check, config.data),
        limitations=limitations(check, config.data),
        training_images={} if images is None else images.document(),
        package_version=__version__,
        created=_now(),
        config=config.model_dump(mode="json"),
        config_hash=config.digest(),
    )
    if calibrated is None:
        return card
    return calibrated_card(card, calibrated)


def calibrated_card(card: ModelCard, document: Mapping[str, Any]) -> ModelCard:
    """Add to a card what a calibration has found: its parameters and what was measured with them.

    :param document: content of a calibration file (:mod:`distill.checkpoints.stored_calibration`).
    """
    calibration = calibration_of(document)
    before, after = document["scores"][UNCALIBRATED], document["scores"][document["method"]]
    return replace(
        card,
        temperature=calibration.temperature,
        calibration={"method": calibration.method, "parameters": calibration.parameters()},
        miou=_measured(document["miou"]),
        ece_before=_measured({condition: scores["ece"] for condition, scores in before.items()}),
        ece_after=_measured({condition: scores["ece"] for condition, scores in after.items()}),
        reliability={condition: scores["reliability"] for condition, scores in after.items()},
        expected_accuracy=document["expected_accuracy"],
        measured_on=_measured_on(document),
        limitations=_with_training_images(card.limitations, document.get("data", {}).get("trained_on")),
        risk=stored_thresholds(document, card.class_names),
        accuracy_correction={},  # it was fitted to the confidence of another calibration
    )


def recalibrated_card(card: ModelCard, document: Mapping[str, Any]) -> ModelCard:
    """Return the card of a model file that was calibrated again, as an ONNX file.

    What was measured before, under another calibration or on other images, is replaced.

    :param document: as for :func:`calibrated_card`.
    """
    # Through JSON, as a calibration file would be: tuples become lists.
    found = calibrated_card(card, json.loads(json.dumps(document)))
    data = document["data"]
    images = document["fitted_on"]["images"]
    if document["held_out"]:
        images += document["reported_on"]["images"]
    words = f"calibrated on {images} images of {data['source']}, {data['split']}"
    before = card.dataset.partition(_CALIBRATED)[0]
    limits = CALIBRATED_LIMITATIONS if card.limitations == EXTERNAL_LIMITATIONS else found.limitations
    limits = " ".join(limits.replace(INT8_LIMITATIONS, "").split())
    return replace(found, dataset=f"{before}{_CALIBRATED}{words}", limitations=limits, created=_now())


def _measured_on(document: Mapping[str, Any]) -> str:
    """Say which images the scores of a calibration file are of; empty in files of before that was stored."""
    data, reported = document.get("data", {}), document.get("reported_on", {})
    if not {"dataset", "split"} <= set(data) or "images" not in reported:
        return ""
    return f"{reported['images']} images of {data.get('source') or data['dataset']}, {data['split']}"


def _with_training_images(limits: str, count: int | None) -> str:
    """Add to a card's limitations that the calibration saw images of the training, if it did.

    :param count: how many; None: not known.
    """
    before = limits.partition(_ON_TRAINING_IMAGES)[0].rstrip()
    if not count:
        return before
    sentence = f"{_ON_TRAINING_IMAGES} ({count}): on others it is less often right than its scores say."
    return f"{before} {sentence}".lstrip()


def int8_card(card: ModelCard, entry: Mapping[str, Any]) -> ModelCard:
    """Return the card of a file in INT8; thresholds with a promise are left out, which held for another.

    :param card: that of the network in floating point.
    :param entry: see :attr:`kd_seg_ros.inference.card.ModelCard.int8`.
    """
    limits = f"{card.limitations} {INT8_LIMITATIONS}".strip()
    return replace(card, int8=dict(entry), single_precision=(), risk=(), limitations=limits, created=_now())


def external_card(
    path: Path,
    classes: Mapping[str, tuple[int, int, int]],
    size: tuple[int, int],
    scale: float,
    mean: tuple[float, float, float],
    std: tuple[float, float, float],
    parameters: int,
    multiple: int,
) -> ModelCard:
    """Collect what is known of a network from an ONNX file that was made elsewhere.

    :param path: that file.
    :param classes: name → RGB colour (0…255) of each class, in the order of the logits.
    :param size: (H, W) of the camera's image.
    :param scale: the network sees the image resized by this factor.
    :param mean: RGB, 0…1, that the network expects to be subtracted; ``std``: to be divided by.
    :param parameters: numbers in the network's weights.
    :param multiple: the resized image is padded to multiples of this.
    """
    digest = sha256(path)
    return ModelCard(
        name=path.stem,
        class_names=tuple(classes),
        palette=tuple(classes.values()),
        ignore_id=IGNORE_ID,
        height=size[0],
        width=size[1],
        working_scale=scale,
        mean=mean,
        std=std,
        temperature=1.0,
        parameters=parameters,
        padding_multiple=multiple,
        dataset=f"unknown: {path.name} was made elsewhere",
        limitations=EXTERNAL_LIMITATIONS,
        package_version=__version__,
        created=_now(),
        config={"wrapped": path.name, "sha256": digest},
        config_hash=hashlib.sha256(digest.encode()).hexdigest(),
    )


def save_with_card(proto: onnx.ModelProto, card: ModelCard, path: Path) -> None:
    """Put the card, with the file's digest, into a model's metadata and write the model; raises OSError."""
    onnx.helper.set_model_props(proto, {METADATA_KEY: to_be_sealed(card).to_json()})
    path.write_bytes(seal(proto.SerializeToString(deterministic=True)))


def write_thresholds(
    path: Path, thresholds: Sequence[RiskThreshold], out: Path, trained_on: int | None = None
) -> None:
    """Write a model file again with other thresholds of the confidence in its card.

    :param trained_on: on how many of the images that they were found on the model was trained.
    :raises UserError: if it cannot be read or written.
    """
    file = read_onnx_file(path)
    card = read_card(file)
    assert card is not None  # the file has been opened before
    proto = onnx.load_from_string(file.content)
    if trained_on:
        card = replace(card, limitations=_with_training_images(card.limitations, trained_on))
    write_file(out, partial(save_with_card, proto, replace(card, risk=tuple(thresholds))))


def _now() -> str:
    """Return the time as ISO 8601, UTC, in whole seconds."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def _measured(values: Mapping[str, float | None]) -> dict[str, float]:
    """Leave out the conditions for which there is no score."""
    return {condition: value for condition, value in values.items() if value is not None}
