"""Counts the cost of a training while it runs."""

from __future__ import annotations

from time import monotonic, process_time
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from distill.checkpoints.training_cost import COST_FILE, COST_KEY, TrainingCost, read_cost, write_cost
from distill.config import Config
from kd_seg_ros.common.processor import processor


class CostCounter(Callback):
    """Sums seconds and images of training, keeps them in every checkpoint and writes them after each epoch.

    On a GPU these are seconds by the clock, which runs while waiting for data: that is part of a method's
    cost. On a CPU they are processor time, which does not depend on what else the computer does; that of
    worker processes (``data.workers``) is not in it. Neither runs while validating.
    """

    def __init__(self, config: Config) -> None:
        self._folder = config.run_folder
        self._batch = config.training.batch_size
        self._cost = TrainingCost()
        self._known = True
        self._since: float | None = None

    @property
    def state_key(self) -> str:
        """The key of the cost among the callbacks of a checkpoint."""
        return COST_KEY

    def state_dict(self) -> dict[str, Any]:
        """Return the cost so far; empty if that is not known."""
        return self._cost.document() if self._known else {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from the cost in the checkpoint that is resumed."""
        self._cost = read_cost(state_dict) or TrainingCost()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock; replace the file of an earlier run in the folder.

        Of a run whose first epochs were not counted, by an earlier version, nothing is told.
        """
        self._known = self._cost.epochs == trainer.current_epoch
        self._write(trainer)
        self._since = _time(pl_module)

    def on_train_batch_end(self, *_: Any, **__: Any) -> None:
        """Count the images of a batch, those of all processes together."""
        self._cost.images += self._batch

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop the clock."""
        self._stop(trainer, pl_module)

    def on_validation_end(self, _: Trainer, pl_module: LightningModule) -> None:
        """Let the clock run on."""
        self._since = _time(pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop the clock, if there was no validation, and write the sums."""
        self._stop(trainer, pl_module)
        self._write(trainer)
        self._since = _time(pl_module)

    def _stop(self, trainer: Trainer, module: LightningModule) -> None:
        """Add the time since the clock was started to that of the device; the epoch's batches are done."""
        self._cost.epochs = trainer.current_epoch + 1
        if self._since is None:
            return
        name = processor()
        if module.device.type == "cuda":
            torch.cuda.synchronize(module.device)  # what was asked of the GPU is done only now
            name = torch.cuda.get_device_name(module.device)
        seconds = (_time(module) - self._since) * trainer.world_size
        self._cost.devices[name] = self._cost.devices.get(name, 0.0) + seconds
        self._since = None

    def _write(self, trainer: Trainer) -> None:
        if not trainer.is_global_zero:
            return
        if self._known:
            write_cost(self._folder, self._cost)
        else:
            (self._folder / COST_FILE).unlink(missing_ok=True)


def _time(module: LightningModule) -> float:
    """Return seconds since some moment, of the clock of this process' device."""
    return process_time() if module.device.type == "cpu" else monotonic()
