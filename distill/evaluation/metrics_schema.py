"""What a metrics.json must hold to be read: types, ranges, and figures that agree with one another.

docs/metrics.md describes the fields. Keys that are not named here are kept as they are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
from pydantic import Field, StrictStr, ValidationError

from distill.common.json_schema import (
    Count,
    Digest,
    Loss,
    Number,
    Part,
    Positive,
    Reliability,
    Share,
    first_fault,
)
from distill.metrics import iou_per_class, mean_iou
from distill.metrics.calibration import ece_of_bars
from kd_seg_ros.common.errors import UserError

TOLERANCE: Final = 1e-9
"""A stored share may differ by this much from the one computed from the confusion matrix again."""


class Calibration(Part):
    """The calibration in use: its method, and the method's numbers by name."""

    method: StrictStr
    parameters: dict[StrictStr, Number | list[Number]]


class Model(Part):
    """What was evaluated; a node that was running already does not tell its file."""

    name: StrictStr
    file: StrictStr | None = None
    path: StrictStr | None = None
    sha256: Digest | None = None
    temperature: Positive | None = None
    calibration: Calibration | None = None
    parameters: Count | None = None
    training_images: Count | None = None


class Data(Part):
    """Which images it was evaluated on; further keys are those of the data set or of the bag."""

    trained_on: Count | None = None
    """Number of them that the model was trained on; None: not known."""


class ByClass(Part):
    """A share for each class, and their mean over the classes that have one."""

    mean: Share | None
    per_class: dict[StrictStr, Share | None]


class Curve(Part):
    """A risk-coverage curve: lowest confidence kept, share kept, share of wrong ones; None without pixels."""

    confidence: list[Share]
    coverage: list[Share | None]
    risk: list[Share | None]


class Scores(Part):
    """The scores of one condition; None is undefined or unknown."""

    images: Count
    pixels: Count
    miou: Share | None
    accuracy: Share | None
    iou: dict[StrictStr, Share | None]
    confusion: list[list[Count]]
    ece: Share | None
    ece_torchmetrics: Share | None = None  # unknown in files of version 2
    ece_batched16: Share | None
    ece_per_class: dict[StrictStr, Share | None]
    reliability: Reliability
    aurc: Share | None = None  # unknown in files of before these four were written
    eaurc: Share | None = None
    aurc_per_class: dict[StrictStr, Share | None] | None = None
    risk_coverage: Curve | None = None
    ece_classwise: ByClass | None
    auprc: ByClass | None
    auprc_exact: ByClass | None
    brier: Annotated[Loss, Field(le=2)] | None
    nll: Loss | None


class DomainOfCondition(Part):
    """How far the images of a condition are from those of calibration."""

    images: Count
    median: Loss | None  # of infinite distances
    above_limit: Share | None


class Domain(Part):
    """The domain distances of the images, and those of calibration by percent."""

    limit: Loss
    quantiles: dict[StrictStr, Loss]
    scores: dict[StrictStr, DomainOfCondition]


class Metrics(Part):
    """The whole document."""

    created: StrictStr
    package_version: StrictStr
    model: Model
    data: Data
    options: dict[StrictStr, Any]
    classes: list[StrictStr] = Field(min_length=1, max_length=255)
    scores: dict[StrictStr, Scores] = Field(min_length=1)
    files: dict[StrictStr, Digest] = Field(default_factory=dict)
    domain: Domain | None = None


def check_document(path: Path, document: Mapping[str, Any]) -> None:
    """Refuse a metrics.json whose values cannot be right.

    :param path: named in the error.
    :raises UserError: with the place and the value that is at fault.
    """
    try:
        found = Metrics.model_validate(document)
    except ValidationError as error:
        raise UserError(f"{path} is damaged: {first_fault(error)}: evaluate the model again") from error
    if len(set(found.classes)) != len(found.classes):
        raise UserError(f"{path} is damaged: it names a class twice: evaluate the model again")
    for condition, scores in found.scores.items():
        if fault := _contradiction(scores, found.classes):
            raise UserError(f"{path} is damaged: scores.{condition}: {fault}: evaluate the model again")


def _contradiction(scores: Scores, classes: Sequence[str]) -> str:
    """Say which figures of a condition do not agree; empty if all do."""
    # 1. The tables are over the document's classes.
    tables = {"iou": scores.iou, "ece_per_class": scores.ece_per_class}
    if scores.aurc_per_class is not None:
        tables["aurc_per_class"] = scores.aurc_per_class
    for name in ("ece_classwise", "auprc", "auprc_exact"):
        by_class = getattr(scores, name)
        if by_class is not None:
            tables[name] = by_class.per_class
    for name, table in tables.items():
        if set(table) != set(classes):
            return f"{name} is not of the {len(classes)} classes"
    if len(scores.confusion) != len(classes):
        return f"confusion has {len(scores.confusion)} rows for {len(classes)} classes"
    if any(len(row) != len(classes) + 1 for row in scores.confusion):
        return f"confusion has a row that is not of the {len(classes)} classes and one more"
    bins = scores.reliability
    if not len(bins.confidence) == len(bins.accuracy) == len(bins.share):
        return "reliability has lists of different lengths"

    curve = scores.risk_coverage
    if curve is not None and not len(curve.confidence) == len(curve.coverage) == len(curve.risk):
        return "risk_coverage has lists of different lengths"

    if scores.pixels and (scores.ece is None or scores.ece_batched16 is None):
        return "the expected calibration error of labelled pixels is missing"

    # 2. The calibration error is that of the bars. Files of version 2 hold it with another last bin.
    stored_ece = scores.ece if scores.ece_torchmetrics is not None else None
    ece = ece_of_bars(bins.model_dump())
    if stored_ece is not None and (ece is None or abs(stored_ece - ece) > TOLERANCE):
        return f"ece is {stored_ece}, the reliability diagram gives {ece}"

    # 3. What follows from the confusion matrix is what is stored.
    confusion = np.array(scores.confusion, dtype=object)  # Python's integers: no sum overflows
    if int(confusion.sum()) != scores.pixels:
        return f"pixels is {scores.pixels}, the confusion matrix holds {confusion.sum()}"
    if scores.pixels >= 2**62:
        return f"pixels is {scores.pixels}"
    matrix = confusion.astype(np.int64)
    accuracy = float(np.trace(matrix)) / scores.pixels if scores.pixels else math.nan
    expected = {"miou": mean_iou(matrix), "accuracy": accuracy}
    stored = {"miou": scores.miou, "accuracy": scores.accuracy}
    for name, value in zip(classes, iou_per_class(matrix).tolist(), strict=True):
        expected[f"iou.{name}"], stored[f"iou.{name}"] = value, scores.iou[name]
    for name, value in expected.items():
        if not _same(stored[name], value):
            return f"{name} is {stored[name]}, the confusion matrix gives {value}"
    return ""


def _same(stored: float | None, expected: float) -> bool:
    """Compare a stored share with one computed again; None stands for NaN."""
    if stored is None or math.isnan(expected):
        return stored is None and math.isnan(expected)
    return abs(stored - expected) <= TOLERANCE
