"""The document of scores, metrics.json: how it is built.

docs/metrics.md describes its fields; :mod:`distill.evaluation.evaluated_run` reads it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final

from kd_seg_ros import __version__
from kd_seg_ros.common.files import sha256
from kd_seg_ros.inference.card import ModelCard

SCHEMA_VERSION: Final = 3
"""Version of the document's layout."""
OPEN_LAST_BIN: Final = 2
"""The version in which every ECE was summed with confidence exactly 1 as a bin of its own."""

FULL: Final = "full"
"""Key of the scores over all conditions pooled."""

_LONGEST_CONDITION: Final = 60


def condition_key(condition: str | None) -> str:
    """Return the key under which an image of a condition is scored, besides the total.

    Conditions come from folders and from bags, and may be any text: one that is called as the total would be
    counted twice, and line breaks or terminal codes would spoil the tables.

    :param condition: the weather; None or blank: the image counts in the total only.
    """
    text = "".join(character if character.isprintable() else "?" for character in condition or "").strip()
    if not text:
        return FULL
    if text == FULL:
        return f"{FULL} (condition)"
    return text if len(text) <= _LONGEST_CONDITION else f"{text[:_LONGEST_CONDITION]}…"


def metrics_document(
    scores: dict[str, dict[str, Any]],
    class_names: Sequence[str],
    model: dict[str, Any],
    data: dict[str, Any],
    options: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Build the content of metrics.json.

    :param scores: by condition, see :meth:`~distill.evaluation.mask_scores.MaskScores.summary`.
    :param class_names: by trainId.
    :param model: what was evaluated: ``file``, ``sha256``, ``name``, ``temperature``.
    :param data: what it was evaluated on: ``dataset``, ``root``, ``split``.
    :param options: test-time augmentation, where there was any.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "package_version": __version__,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "model": model,
        "data": data,
        "options": options or {},
        "classes": list(class_names),
        "scores": scores,
    }


def sibling(metrics: Path, name: str) -> Path:
    """Return the path of a table next to a metrics.json: ``best.metrics.json`` has ``best.images.npz``.

    :param name: the table's, such as ``images.npz``.
    """
    stem = metrics.stem + "."
    if metrics.name.endswith("metrics.json"):
        stem = metrics.name.removesuffix("metrics.json")
    return metrics.with_name(stem + name)


def about_model_file(path: Path, card: ModelCard) -> dict[str, Any]:
    """Return the ``model`` of metrics.json for an exported file."""
    plain_temperature = {"method": "temperature", "parameters": {"temperature": card.temperature}}
    return {
        "file": path.name,
        "path": str(path.absolute()),
        "sha256": sha256(path),
        "name": card.name,
        "temperature": card.temperature,
        "calibration": card.calibration or plain_temperature,
        "parameters": card.parameters,
    }
