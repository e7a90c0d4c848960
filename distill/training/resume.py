"""Checks before a run is resumed: what has changed in its configuration, and whether any epochs are left."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from distill.checkpoints.lightning_io import check_resumable, epochs_done
from distill.config import Config, TrainingConfig, parse_config
from kd_seg_ros.common.errors import UserError

MOST_SHOWN = 8
"""Number of changed keys that are listed one by one."""


def check_resumed(checkpoint: Path, state: Any, config: Config) -> int:
    """Refuse a checkpoint that does not fit to the run that is to be resumed; return how many epochs it did.

    :param checkpoint: the one to resume from, for the message.
    :param state: its content.
    :raises UserError: for an odd content, no epochs left, other classes or another optimiser.
    """
    check_resumable(checkpoint, state)
    done = epochs_done(state)
    check_epochs_left(checkpoint, done, config.training)
    check_same_classes(checkpoint, state, config)
    check_same_optimiser(checkpoint, state, config)
    return done


def check_epochs_left(checkpoint: Path, done: int, training: TrainingConfig) -> None:
    """Refuse to train a run for fewer epochs than it has already done.

    :param checkpoint: the one to resume from, for the message.
    :param done: number of epochs done.
    :raises UserError: naming both numbers.
    """
    if done > training.last_epoch:
        key = "epochs" if training.stop_after is None else "stop_after"
        raise UserError(
            f"{checkpoint} has already done {done} epochs, and training.{key} is {training.last_epoch}: "
            "give more"
        )


def config_changes(config: Config) -> list[str]:
    """List what has changed in a run's configuration since it was last started, as ``key: old → new``."""
    path = config.run_folder / "config.yaml"
    try:
        before = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return []
    if not isinstance(before, Mapping):
        return []
    old, new = _flat(before), _flat(config.model_dump(mode="json"))
    keys = [key for key in {**new, **old} if old.get(key) != new.get(key)]
    lines = [f"{key}: {old.get(key)} → {new.get(key)}" for key in keys[:MOST_SHOWN]]
    return [*lines, f"and {len(keys) - MOST_SHOWN} more"] if len(keys) > MOST_SHOWN else lines


def check_same_classes(checkpoint: Path, state: Mapping[str, Any], config: Config) -> None:
    """Refuse to resume with other classes, or the same in another order.

    :param checkpoint: the one to resume from, for the message.
    :param state: its content.
    :raises UserError: naming the first class that differs.
    """
    trained = _config_of(checkpoint, state).data.class_names
    wanted = config.data.class_names
    if trained == wanted:
        return
    if sorted(trained) == sorted(wanted):
        place = next(i for i, (old, new) in enumerate(zip(trained, wanted, strict=True)) if old != new)
        what = (
            f"the classes in another order: class {place} is {trained[place]} there and {wanted[place]} here"
        )
    else:
        what = f"other classes: {', '.join(trained)} there, {', '.join(wanted)} here"
    raise UserError(
        f"{checkpoint} was trained with {what}; give them as they were, or start a new run with --name and "
        "--student.checkpoint"
    )


def check_same_optimiser(checkpoint: Path, state: Mapping[str, Any], config: Config) -> None:
    """Refuse to resume with another optimiser, or other groups of weights, than the state is of.

    :param checkpoint: the one to resume from, for the message.
    :param state: its content.
    :raises UserError: naming the key and both values.
    """
    trained = _config_of(checkpoint, state).training
    for key in ("optimiser", "decay_norms"):
        before, wanted = getattr(trained, key), getattr(config.training, key)
        if before != wanted:
            raise UserError(
                f"{checkpoint} was trained with training.{key} {before}, not {wanted}: give it as it was, or "
                "start a new run with --name and --student.checkpoint"
            )


def _config_of(checkpoint: Path, state: Mapping[str, Any]) -> Config:
    """Return the configuration that a checkpoint was trained with."""
    return parse_config(state["hyper_parameters"]["config"], str(checkpoint))


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the values of nested sections by their full keys, such as ``data.root``."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found
