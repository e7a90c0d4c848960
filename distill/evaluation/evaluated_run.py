"""The files of an evaluation, written and read back, and whether several evaluations can be compared.

They are metrics.json and, next to it, per_class.csv and images.npz.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from distill.common.files import write_json
from distill.evaluation.image_scores import ImageScores
from distill.evaluation.metrics_json import read_metrics, sibling
from distill.evaluation.score_table import write_per_class
from kd_seg_ros.common.errors import UserError


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


def write_run(path: Path, document: dict[str, Any], images: ImageScores) -> None:
    """Write a metrics.json, with per_class.csv and images.npz next to it.

    :raises UserError: if a file cannot be written.
    """
    write_json(path, document)
    write_per_class(sibling(path, "per_class.csv"), document)
    images.save(sibling(path, "images.npz"))


def read_run(path: Path) -> EvaluatedRun:
    """Read a run folder (its best.metrics.json) or a metrics.json, with the images.npz next to it.

    :raises UserError: if one of them is missing, damaged, of another version, or they do not belong together.
    """
    if path.is_dir():
        path = path / "best.metrics.json"
        if not path.is_file():
            checkpoint = path.with_name("best.ckpt")
            raise UserError(f"{path} does not exist: `kd_seg evaluate --checkpoint {checkpoint}`")
    document = read_metrics(path)
    images = ImageScores.load(sibling(path, "images.npz"))
    full = document["scores"].get("full", {})
    if not len(images) or not full.get("pixels"):
        raise UserError(f"{path} counts no labelled pixel: there is nothing to compare")
    if images.confusion.shape[1] != len(document["classes"]) or int(images.count.sum()) != full["pixels"]:
        raise UserError(f"{sibling(path, 'images.npz')} is not of {path.name}: evaluate the model again")
    return EvaluatedRun(path, document, images)


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
