"""Trains and evaluates the arms of a regime, for as many seeds as asked for; what is done already is kept.

Students are judged by their state after the last step (``last.ckpt``), not by the best of several
validations: that one would be chosen by the images that it is judged on.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from distill.checkpoints.lightning_io import LAST
from distill.checkpoints.training_cost import COST_FILE, read_cost
from distill.config import Config, load_config
from distill.data.from_config import frames_of
from distill.evaluation.evaluate import evaluate
from distill.evaluation.evaluated_model import open_checkpoint
from distill.evaluation.metrics_json import metrics_document
from distill.evaluation.run_files import write_run
from distill.experiments.matching import differing_keys
from distill.experiments.study import Arm, Regime
from distill.training.trainer import fit
from kd_seg_ros.common.errors import UserError

_logger = logging.getLogger(__name__)

SCORES: Final = "last.metrics.json"
"""Scores of a run's last checkpoint, in the run's folder."""
TEACHER_SEED: Final = 0
"""Seed of the one teacher that all students of a regime have."""
_OF_THE_ARMS: Final = ("name", "seed", "student", "teacher", "objective")
"""Keys, or sections of keys, that tell the arms apart and so cannot be set for all of them."""


def check_overrides(overrides: Mapping[str, Any]) -> None:
    """Refuse keys of the configuration that would make another experiment of every arm; raises UserError."""
    for key in overrides:
        if key.partition(".")[0] in _OF_THE_ARMS:
            raise UserError(
                f"--{key}: the experiments of a study differ in it; give keys of data and training, or out"
            )


def run_seed(
    regime: Regime,
    arms: Sequence[Arm],
    seed: int,
    overrides: Mapping[str, Any],
    *,
    progress_bar: bool = False,
) -> None:
    """Train and evaluate the teacher of a regime and some arms with one seed, unless that has been done.

    A run that was interrupted is resumed from its last checkpoint.

    :param overrides: values by dotted key for all of them.
    :param progress_bar: show one on standard output.
    :raises UserError: for data that is missing, or a run in an arm's folder that is not the arm's.
    """
    runs = [teacher_config(regime, overrides)]
    runs += [arm_config(regime, arm, seed, overrides) for arm in arms]
    for config in runs:
        _finish(config, progress_bar)


def teacher_config(regime: Regime, overrides: Mapping[str, Any]) -> Config:
    """Return the configuration of a regime's teacher."""
    return _seeded(regime.teacher, TEACHER_SEED, overrides)


def arm_config(regime: Regime, arm: Arm, seed: int, overrides: Mapping[str, Any]) -> Config:
    """Return the configuration of an arm with a seed, whose teacher is the regime's, wherever that lies."""
    config = _seeded(arm.config, seed, overrides)
    if config.teacher is None:
        return config
    checkpoint = teacher_config(regime, overrides).run_folder / LAST
    return _seeded(arm.config, seed, {**overrides, "teacher.checkpoint": str(checkpoint)})


def _seeded(name: str, seed: int, overrides: Mapping[str, Any]) -> Config:
    """Return a configuration whose run is named after it and the seed."""
    named = {**overrides, "name": f"{Path(name).stem}_seed{seed}", "seed": seed}
    return load_config(name, named)


def _finish(config: Config, progress_bar: bool) -> None:
    """Do what is left of a run: all of it, the rest of the training and the evaluation, or that alone."""
    folder = config.run_folder
    begun = (folder / LAST).is_file()
    if begun or (folder / SCORES).is_file():
        check_same(config)
    if (folder / SCORES).is_file():
        return
    if not begun or _epochs_done(folder) < config.training.last_epoch:
        fit(config, resume=begun, overwrite=not begun, progress_bar=progress_bar)
    _evaluate(config, progress_bar)
    _logger.info("%s is done", config.name)


def check_same(config: Config) -> None:
    """Raise UserError if the run in a configuration's folder was started with other values."""
    found = load_config(config.run_folder / "config.yaml")
    faults = differing_keys(config, found)
    if found.data.root != config.data.root:
        faults.append(f"data.root is {found.data.root}, not {config.data.root}")
    if found.seed != config.seed:
        faults.append(f"seed is {found.seed}, not {config.seed}")
    if faults:
        raise UserError(
            f"{config.run_folder} holds another run, in which {faults[0]}: delete it, or give another --out"
        )


def _epochs_done(folder: Path) -> int:
    """Return how many epochs a run has trained for, by its record of what it has cost; 0 without one."""
    try:
        cost = read_cost(json.loads((folder / COST_FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return 0
    return 0 if cost is None else cost.epochs


def _evaluate(config: Config, progress_bar: bool) -> None:
    """Measure the last state of a run on its validation images and write the scores next to it."""
    model = open_checkpoint(config.run_folder / LAST)
    root = Path(config.data.root).expanduser()
    evaluation = evaluate(model, frames_of(config.data, "val"), root, progress=progress_bar)
    data = {"dataset": config.data.dataset, "root": str(root.absolute()), "split": "val"}
    document = metrics_document(evaluation.summary(), model.class_names, model.about, data)
    write_run(config.run_folder / SCORES, document, evaluation.images())
