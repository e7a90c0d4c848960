"""Going on with a run: is its configuration still the same, and is there anything left to do?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from distill.config import Config
from kd_seg_ros.common.errors import UserError

_MOST_SHOWN = 8


def check_epochs_left(checkpoint: Path, done: int, epochs: int) -> None:
    """Refuse to train a run for fewer epochs than it has behind it.

    :raises UserError: naming both.
    """
    if done > epochs:
        raise UserError(
            f"{checkpoint} has {done} epochs behind it, and training.epochs is {epochs}: give more"
        )


def config_changes(config: Config) -> list[str]:
    """List in what a run's configuration has changed since it was last started, as ``key: old → new``."""
    path = config.run_folder / "config.yaml"
    try:
        before = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return []
    if not isinstance(before, Mapping):
        return []
    old, new = _flat(before), _flat(config.model_dump(mode="json"))
    keys = [key for key in {**new, **old} if old.get(key) != new.get(key)]
    lines = [f"{key}: {old.get(key)} → {new.get(key)}" for key in keys[:_MOST_SHOWN]]
    return [*lines, f"and {len(keys) - _MOST_SHOWN} more"] if len(keys) > _MOST_SHOWN else lines


def remedy(error: Exception) -> str:
    """Say what to do against what PyTorch refuses; empty for what nobody foresaw."""
    text = str(error)
    if "Error(s) in loading state_dict" in text:
        return "the run to resume has another network or other feature losses: begin a new one, with --name"
    if "more than 1 value per channel" in text:
        return (
            "BatchNorm needs more than one value a channel, and the coarsest map of a batch has one: raise "
            "training.batch_size or data.crop"
        )
    return ""


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the values by their full keys."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found
