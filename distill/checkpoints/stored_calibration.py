"""The calibration of a checkpoint, which `calibrate` stores next to it as ``best.calibration.json``.

The file's fields are described in docs/model_file.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from distill.checkpoints.calibration_schema import fault_of
from distill.metrics.calibration import ece_of_bars
from distill.models.logit_calibration import NONE, LogitCalibration
from kd_seg_ros.common.errors import UserError, first_line
from kd_seg_ros.common.files import reason, sha256
from kd_seg_ros.inference.risk import RiskThreshold, risk_threshold_of

SCHEMA_VERSION: Final = 2
"""Version of the calibration file's layout."""
UNCALIBRATED: Final = "none"
"""Key under which the file's ``scores`` hold those before calibration."""

_AGAIN = "run `kd_seg calibrate` again"


def calibration_path(checkpoint: Path) -> Path:
    """Return the path of a checkpoint's calibration file: ``best.ckpt`` has ``best.calibration.json``."""
    return checkpoint.with_suffix(".calibration.json")


def read_calibration_document(checkpoint: Path) -> dict[str, Any] | None:
    """Read the calibration file of a checkpoint; None if the checkpoint was never calibrated.

    :raises UserError: if the file belongs to another version of the checkpoint, is damaged or has another
        schema version.
    """
    path = calibration_path(checkpoint)
    if not path.is_file():
        return None
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        digest = sha256(checkpoint)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {reason(error)}") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is damaged: {first_line(error)}: {_AGAIN}") from error
    if not isinstance(document, dict) or "schema_version" not in document:
        raise UserError(f"{path} is damaged: it is no calibration file: {_AGAIN}")
    version = document["schema_version"]
    if version != SCHEMA_VERSION:
        raise UserError(
            f"{path} has schema version {version!r}; this software reads version {SCHEMA_VERSION}: {_AGAIN}"
        )
    fault = fault_of(document, UNCALIBRATED)
    if fault:
        raise UserError(f"{path} is damaged: {fault}: {_AGAIN}")
    try:
        calibration_of(document)
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is damaged: method and parameters: {first_line(error)}: {_AGAIN}") from error
    if document["checkpoint_sha256"] != digest:
        raise UserError(f"{path} was made for another version of {checkpoint.name}: {_AGAIN}, or delete it")
    for name in (UNCALIBRATED, document["method"]):
        for scores in document["scores"][name].values():
            # Files of before the last bin was closed hold another ECE; the bars are the same.
            scores["ece"] = ece_of_bars(scores["reliability"])
    return document


def calibration_of(document: Mapping[str, Any]) -> LogitCalibration:
    """Return the calibration that a document describes.

    :param document: the content of a calibration file.
    :return: :data:`~distill.models.logit_calibration.NONE` if no method was good enough to be kept.
    :raises ValueError, KeyError, TypeError: if it describes none.
    """
    if document["method"] == UNCALIBRATED and not document["parameters"]:
        return NONE
    return LogitCalibration.parse(document["method"], document["parameters"])


def stored_thresholds(document: Mapping[str, Any], class_names: Sequence[str]) -> tuple[RiskThreshold, ...]:
    """Return the thresholds with a promise that a calibration file holds; none in files from before 0.3.

    :param class_names: the network's.
    :raises UserError: if one is damaged.
    """
    thresholds = []
    for values in document.get("risk", []):
        found = risk_threshold_of(values, class_names)
        if found is None:
            raise UserError(f"the calibration file holds a damaged entry of risk: {values!r:.80}: {_AGAIN}")
        thresholds.append(found)
    return tuple(thresholds)


def load_calibration(checkpoint: Path) -> LogitCalibration | None:
    """Return the stored calibration of a checkpoint; None if it was never calibrated.

    :raises UserError: as :func:`read_calibration_document` does.
    """
    document = read_calibration_document(checkpoint)
    return None if document is None else calibration_of(document)


def load_thresholds(checkpoint: Path, class_names: Sequence[str]) -> tuple[RiskThreshold, ...]:
    """Return the thresholds with a promise that are stored for a checkpoint; none if it has none.

    :raises UserError: as :func:`read_calibration_document` does.
    """
    document = read_calibration_document(checkpoint)
    return () if document is None else stored_thresholds(document, class_names)
