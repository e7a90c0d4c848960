"""The folder of a run: made before training, holding the checkpoints and the full configuration."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from distill.checkpoints.lightning_io import LAST, PREVIOUS
from distill.config import Config
from kd_seg_ros.common.errors import UserError, first_line

CONFIG_FILE = "config.yaml"
"""Name of the file that holds the run's full configuration; it marks a folder as a run's."""


def prepare_run_folder(folder: Path, overwrite: bool) -> None:
    """Make the folder of a new run.

    :param overwrite: delete an earlier run in it; nothing but a run is ever deleted.
    :raises UserError: if the folder holds a run that may not be deleted, or cannot be made.
    """
    if any((folder / name).exists() for name in (LAST, PREVIOUS)) and not overwrite:
        raise UserError(f"{folder} already holds a run: --resume continues it, --overwrite deletes it")
    try:
        if overwrite and folder.is_dir() and any(folder.iterdir()):
            if not (folder / CONFIG_FILE).is_file():
                raise UserError(f"{folder} is no run of `fit` and is not deleted: choose another --name")
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"run folder {folder} cannot be made: {error.strerror or first_line(error)}"
        ) from error


def write_run_config(config: Config) -> None:
    """Write the full configuration next to the run's checkpoints."""
    text = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)
    (config.run_folder / CONFIG_FILE).write_text(text, encoding="utf-8")
