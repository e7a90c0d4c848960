"""What the calibration file of a checkpoint must hold to be read: types, ranges, and parts that agree.

docs/model_file.md describes the fields. Keys that are not named here are kept as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, StrictStr, ValidationError

from distill.common.json_schema import Count, Digest, Number, Part, Reliability, Share, first_fault


class _Scores(Part):
    """What is used of the scores of one condition by one method."""

    ece: Share | None = None
    """In files of before the last bin was closed, another value: it is computed again."""
    reliability: Reliability


class _Data(Part):
    """Which images the calibration is of."""

    dataset: StrictStr = ""
    split: StrictStr = ""
    source: StrictStr = ""
    trained_on: Count | None = None


class _Images(Part):
    """How many images something was found on."""

    images: Count | None = None


class _Document(Part):
    """The whole file."""

    schema_version: Literal[2]
    checkpoint_sha256: Digest
    method: StrictStr
    parameters: dict[StrictStr, Number | list[Number]]
    not_kept: dict[StrictStr, StrictStr] = Field(default_factory=dict)
    data: _Data = Field(default_factory=_Data)
    reported_on: _Images = Field(default_factory=_Images)
    scores: dict[StrictStr, dict[StrictStr, _Scores]]
    miou: dict[StrictStr, Share | None]
    expected_accuracy: dict[StrictStr, tuple[Share, Share]]
    risk: list[Any] = Field(default_factory=list)


def fault_of(document: Mapping[str, Any], uncalibrated: str) -> str:
    """Say what cannot be right in a calibration file: the place, the value and what it must be; else empty.

    :param uncalibrated: key of the scores before calibration.
    """
    try:
        found = _Document.model_validate(document)
    except ValidationError as error:
        return first_fault(error)
    for method in (uncalibrated, found.method):
        if "full" not in found.scores.get(method, {}):
            return f"scores.{method}.full is missing"
        if set(found.scores[method]) != set(found.scores[uncalibrated]):
            return f"scores.{method} has other conditions than scores.{uncalibrated}"
        for condition, scores in found.scores[method].items():
            bins = scores.reliability
            if not len(bins.confidence) == len(bins.accuracy) == len(bins.share):
                return f"scores.{method}.{condition}.reliability has lists of different lengths"
            shares = sum(share or 0 for share in bins.share)
            if abs(shares - 1) > 1e-6 and shares != 0:
                return f"scores.{method}.{condition}.reliability.share sums to {shares:.6g}, not to 1"
    for condition, (low, high) in found.expected_accuracy.items():
        if low > high:
            return f"expected_accuracy.{condition} goes from {low} down to {high}"
    return ""
