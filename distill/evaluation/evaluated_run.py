"""The files of an evaluation, read back and checked, and whether several evaluations can be compared.

They are metrics.json and, next to it, images.npz (:mod:`distill.evaluation.run_files` writes them).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from distill.evaluation.image_scores import ImageScores
from distill.evaluation.metrics_json import FULL, OPEN_LAST_BIN, SCHEMA_VERSION, sibling
from distill.evaluation.metrics_schema import TOLERANCE, check_document
from distill.evaluation.run_files import IMAGES
from distill.metrics.calibration import ece_of_bars
from kd_seg_ros.common.errors import UserError, first_line
from kd_seg_ros.common.files import read_text, reason, sha256

_logger = logging.getLogger(__name__)

TOO_GOOD: Final = "the scores do not tell how it does on others"
"""What follows if a model is measured on images that it was trained on."""


@dataclass(frozen=True)
class EvaluatedRun:
    """The result of one evaluation, read back from its files."""

    path: Path
    """Path of the metrics.json."""
    document: dict[str, Any]
    """Content of the metrics.json."""
    images: ImageScores
    """Scores of the single images."""

    @property
    def name(self) -> str:
        """Name of the model, with the path of its metrics.json."""
        return f"{self.document['model']['name']} ({self.path})"

    @property
    def on_training_images(self) -> str:
        """Say how many of the images the model was trained on; empty if none, or if that is not known."""
        count = self.document["data"].get("trained_on")
        if not count:
            return ""
        return f"{count} of the {len(self.images)} images were trained on: {TOO_GOOD}"


def read_metrics(path: Path) -> dict[str, Any]:
    """Read a metrics.json.

    The ECE of a file of version 2 is computed again with a closed last bin, see :func:`_close_last_bin`.

    :raises UserError: if it cannot be read, is none, has another schema version, or values that cannot be
        right.
    """
    try:
        document = json.loads(read_text(path))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {reason(error)}") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is no JSON: {first_line(error)}") from error
    if not isinstance(document, dict) or "schema_version" not in document:
        raise UserError(f"{path} is no metrics.json of `kd_seg evaluate`")
    version = document["schema_version"]
    if version not in (SCHEMA_VERSION, OPEN_LAST_BIN) or not isinstance(version, int):
        raise UserError(
            f"{path} has schema version {version!r}; this software reads versions "
            f"{OPEN_LAST_BIN} and {SCHEMA_VERSION}: evaluate the model again"
        )
    check_document(path, document)
    if version == OPEN_LAST_BIN:
        _close_last_bin(path, document)
    return document


def _close_last_bin(path: Path, document: dict[str, Any]) -> None:
    """Replace the ECE of a document of version 2 by that with a closed last bin.

    That of all pixels follows from the reliability diagram, whose last bin always was closed. Where it is the
    stored one, so is any other ECE of the condition; where it is not, the others are unknown, None.
    """
    changed = []
    for condition, scores in document["scores"].items():
        scores["ece_torchmetrics"], ece = scores["ece"], ece_of_bars(scores["reliability"])
        scores["ece"] = ece
        if ece is None or abs(ece - scores["ece_torchmetrics"]) <= TOLERANCE:
            continue
        changed.append(condition)
        scores["ece_batched16"] = scores["ece_classwise"] = None
        scores["ece_per_class"] = dict.fromkeys(scores["ece_per_class"])
        scores.pop("ece_by_bins", None)
    if changed:
        _logger.warning(
            "%s was written by an earlier version, which summed the ECE in another way: that of %s is "
            "computed again, those by class and by batches are unknown until the model is evaluated again",
            path,
            ", ".join(changed),
        )


def read_run(path: Path) -> EvaluatedRun:
    """Read a run folder (its best.metrics.json) or a metrics.json, with the images.npz next to it.

    :raises UserError: if one of them is missing, damaged, of another version, or they do not belong together.
    """
    if path.is_dir():
        path = path / "best.metrics.json"
        if not path.is_file():
            checkpoint = path.with_name("best.ckpt")
            raise UserError(f"{path} does not exist: `kd_seg evaluate --model {checkpoint}`")
    document = read_metrics(path)
    images = ImageScores.load(sibling(path, IMAGES))
    full = document["scores"].get(FULL, {})
    if not len(images) or not full.get("pixels"):
        raise UserError(f"{path} counts no labelled pixel: there is nothing to compare")
    if not _belong_together(path, document, images):
        raise UserError(
            f"{sibling(path, IMAGES)} belongs to another evaluation than {path.name}: "
            "evaluate the model again"
        )
    return EvaluatedRun(path, document, images)


def _belong_together(path: Path, document: Mapping[str, Any], images: ImageScores) -> bool:
    """Say whether images.npz is the one that was written with a metrics.json.

    By its SHA-256 where the metrics.json holds it, and in any case by the sums over the images: those of each
    condition are the confusion matrix of the condition.
    """
    stored = document.get("files", {}).get(IMAGES)
    if stored is not None and stored != sha256(sibling(path, IMAGES)):
        return False
    conditions = set(images.conditions.tolist()) - {FULL}
    if set(document["scores"]) != {FULL, *conditions}:
        return False
    for condition, scores in document["scores"].items():
        chosen = np.full(len(images), True) if condition == FULL else images.conditions == condition
        if not np.array_equal(images.confusion[chosen].sum(axis=0), scores["confusion"]):
            return False
    return True


def check_comparable(runs: Sequence[EvaluatedRun]) -> None:
    """Refuse runs of different classes, images or labels, naming the first two that differ.

    :raises UserError: saying how they differ.
    """
    first = runs[0]
    for other in runs[1:]:
        if difference := _difference(first, other):
            raise UserError(f"{first.path} and {other.path} cannot be compared: {difference}")


def _difference(first: EvaluatedRun, other: EvaluatedRun) -> str:
    """Return in words how two runs' data differ; empty if they do not."""
    if first.document["classes"] != other.document["classes"]:
        ours, others = ", ".join(first.document["classes"]), ", ".join(other.document["classes"])
        return f"their classes are {ours} and {others}"
    if len(first.images) != len(other.images):
        return f"they are over {len(first.images)} and {len(other.images)} images"
    names = first.images.names != other.images.names
    if names.any():
        at = int(np.argmax(names))
        return f"image {at + 1} is {first.images.names[at]} and {other.images.names[at]}"
    labels = (first.images.confusion.sum(axis=2) != other.images.confusion.sum(axis=2)).any(axis=1)
    if labels.any():
        return f"the labels of {first.images.names[int(np.argmax(labels))]} differ"
    return ""
