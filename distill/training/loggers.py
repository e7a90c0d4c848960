"""Where the curves of a run are written: Lightning's loggers, each into a folder of its name in the run's."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.loggers import CSVLogger, Logger, MLFlowLogger, TensorBoardLogger, WandbLogger
from lightning.pytorch.loggers.csv_logs import ExperimentWriter

from distill.config import Config
from kd_seg_ros.common.errors import UserError

PROJECT = "kd_seg"
"""Name under which W&B and MLflow gather the runs."""


class ContinuedWriter(ExperimentWriter):
    """Lightning's writer of metrics.csv, which keeps the lines from before a resumption.

    Lightning's own deletes them.
    """

    def _check_log_dir_exists(self) -> None:
        """Take over the columns of a file that is there; called when the writer is made."""
        path = Path(self.metrics_file_path)
        if not path.is_file():
            return
        text = path.read_bytes()
        if text and not text.endswith(b"\n"):
            with path.open("ab") as file:  # the process was killed while it wrote a line
                file.write(b"\r\n")
        with path.open(encoding="utf-8", newline="") as file:
            self.metrics_keys = next(csv.reader(file), [])


class ContinuedCSVLogger(CSVLogger):
    """Lightning's logger of metrics.csv for runs that are resumed."""

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The writer, made at its first use."""
        if self._experiment is None:
            Path(self.log_dir).mkdir(parents=True, exist_ok=True)
            self._experiment = ContinuedWriter(self.log_dir)
        return self._experiment


def make_logger(config: Config) -> Logger:
    """Return the logger that ``training.logger`` names.

    :raises UserError: if its package is not installed.
    """
    name = config.training.logger
    folder = config.run_folder / name
    try:
        if name == "csv":
            return ContinuedCSVLogger(config.run_folder, name="", version=name)
        if name == "wandb":
            return WandbLogger(project=PROJECT, name=config.name, save_dir=folder)
        if name == "mlflow":
            # A server's address stands in MLFLOW_TRACKING_URI; without one MLflow writes to the folder.
            return MLFlowLogger(experiment_name=PROJECT, run_name=config.name, save_dir=str(folder))
        return TensorBoardLogger(config.run_folder, name="", version=name)
    except ModuleNotFoundError as error:
        raise UserError(
            f"training.logger {name} needs a package that is not installed: pip install {name}"
        ) from error
