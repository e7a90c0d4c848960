"""Lightning's callbacks: checkpoints, early stopping, averaged weights, progress bar."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import (
    Callback,
    EarlyStopping,
    EMAWeightAveraging,
    LearningRateMonitor,
    ModelCheckpoint,
    TQDMProgressBar,
)

from distill.checkpoints.background_io import BackgroundCheckpointIO
from distill.checkpoints.lightning_io import BEST, LAST
from distill.config import Config


class ProgressBar(TQDMProgressBar):
    """Lightning's progress bar, with the time that is left for the whole run."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._start = (0.0, 0.0)

    def on_train_start(self, trainer: Trainer, *args: Any) -> None:
        """Remember when this part of the run began, and how many epochs were done before."""
        super().on_train_start(trainer, *args)
        self._start = (monotonic(), float(trainer.current_epoch))

    def get_metrics(self, trainer: Trainer, *args: Any, **kwargs: Any) -> Any:
        """Return the values to show: without the logger's version number, with the time that is left."""
        metrics = super().get_metrics(trainer, *args, **kwargs)
        metrics.pop("v_num", None)
        batches = trainer.fit_loop.epoch_loop.batch_progress.current.completed
        done = trainer.current_epoch + batches / max(1.0, float(trainer.num_training_batches))
        began, before = self._start
        left = time_left(monotonic() - began, done - before, (trainer.max_epochs or 0) - done)
        if left:
            metrics["left"] = left
        return metrics

    def on_exception(self, *args: Any, **kwargs: Any) -> None:
        """End the bar's line, so that the error message stands on its own line."""
        super().on_exception(*args, **kwargs)
        if self._train_progress_bar is not None:
            self._train_progress_bar.close()


def time_left(seconds: float, done: float, missing: float) -> str:
    """Return how long a run will still take if it continues as fast, as ``h:mm:ss``; empty if unknown.

    :param seconds: time since it began.
    :param done: epochs in that time.
    :param missing: epochs that are left.
    """
    if done <= 0 or missing < 0:
        return ""
    return str(timedelta(seconds=round(seconds * missing / done)))


class WriteFailures(Callback):
    """Stops training as soon as a checkpoint could not be written, not only when the next one is due."""

    def __init__(self, checkpoints: BackgroundCheckpointIO) -> None:
        self._checkpoints = checkpoints

    def on_train_batch_end(self, *_: Any, **__: Any) -> None:
        """Raise UserError if a checkpoint could not be written."""
        self._checkpoints.raise_failure()


class BestCheckpoint(ModelCheckpoint):
    """Keeps the state with the best validation mIoU, also of a run that was moved or has lost its best one.

    Lightning forgets the best score if the run's folder lies elsewhere than before: the next epoch would
    replace the best checkpoint, however bad it is.
    """

    lost = False
    """Whether the best checkpoint was lost: the best of the epochs that follow replaces it."""

    @property
    def state_key(self) -> str:
        """The key of the scores among the callbacks of a checkpoint, as of Lightning's own class."""
        key: str = super().state_key
        return key.replace(type(self).__qualname__, ModelCheckpoint.__qualname__, 1)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Let all processes know whether the best checkpoint was lost; the first one has looked."""
        super().setup(trainer, pl_module, stage)
        self.lost = trainer.strategy.broadcast(self.lost)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from the best score until now, or without one where its checkpoint was lost."""
        path = str(Path(str(self.dirpath)) / BEST)
        score = None if self.lost else state_dict["best_model_score"]
        values: dict[str, Any] = {"dirpath": self.dirpath, "best_model_score": score, "best_model_path": path}
        if score is None:
            values |= {"best_k_models": {}, "kth_best_model_path": "", "kth_value": None}
        else:
            values |= {"best_k_models": {path: score}, "kth_best_model_path": path, "kth_value": score}
        super().load_state_dict(state_dict | values)


def best_checkpoint(config: Config) -> BestCheckpoint:
    """Return what keeps the state with the best validation mIoU, as ``best.ckpt``."""
    return BestCheckpoint(
        dirpath=config.run_folder,
        filename=BEST.removesuffix(".ckpt"),
        monitor="val/miou",
        mode="max",
        enable_version_counter=False,
    )


def last_checkpoint(config: Config) -> ModelCheckpoint:
    """Return what keeps the state after every epoch, as ``last.ckpt``; ``save_last`` would skip some."""
    return ModelCheckpoint(
        dirpath=config.run_folder,
        filename=LAST.removesuffix(".ckpt"),
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )


def other_callbacks(config: Config, progress_bar: bool) -> list[Callback]:
    """Return all callbacks but the checkpoints'."""
    callbacks: list[Callback] = [LearningRateMonitor("step")]
    if progress_bar:
        callbacks.append(ProgressBar(refresh_rate=10))
    if config.training.ema is not None:
        callbacks.append(EMAWeightAveraging(decay=config.training.ema))
    if config.training.patience is not None:
        callbacks.append(EarlyStopping("val/miou", mode="max", patience=config.training.patience))
    return callbacks
