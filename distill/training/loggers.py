"""Where the curves of a run are written: Lightning's loggers, each into a folder of its name in the run's."""

from __future__ import annotations

from lightning.pytorch.loggers import CSVLogger, Logger, MLFlowLogger, TensorBoardLogger, WandbLogger

from distill.config import Config
from kd_seg_ros.common.errors import UserError

PROJECT = "kd_seg"
"""Name under which W&B and MLflow gather the runs."""


def make_logger(config: Config) -> Logger:
    """Return the logger that ``training.logger`` names.

    :raises UserError: if its package is not installed.
    """
    name = config.training.logger
    folder = config.run_folder / name
    try:
        if name == "csv":
            return CSVLogger(config.run_folder, name="", version=name)
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
