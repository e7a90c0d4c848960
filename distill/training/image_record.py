"""Keeps in every checkpoint which images it was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightning import Trainer
from lightning.pytorch.callbacks import Callback

from distill.checkpoints.trained_images import IMAGES_KEY, training_images_of
from distill.config import Config
from distill.datasets.frame import Frame
from distill.datasets.training_images import TrainingImages


class ImageRecord(Callback):
    """Adds the training images of this run to those that its weights have seen before.

    These are the images of the checkpoint that the run starts from, and those before a resumption, which may
    be others.

    :param frames: all frames to train on.
    """

    def __init__(self, config: Config, frames: Sequence[Frame]) -> None:
        self._start = config.student.checkpoint
        self._frames = frames
        self._images: TrainingImages | None = None

    @property
    def state_key(self) -> str:
        """The key of the images among the callbacks of a checkpoint."""
        return IMAGES_KEY

    def state_dict(self) -> dict[str, Any]:
        """Return the images so far; empty before the training starts."""
        return {} if self._images is None else self._images.document()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from the images in the checkpoint that is resumed."""
        self._images = TrainingImages.parse(state_dict)

    def on_train_start(self, trainer: Trainer, *_: Any) -> None:
        """Read the images; of several processes the one that writes checkpoints does."""
        if not trainer.is_global_zero:
            return
        before = self._images
        if before is None and self._start is not None and Path(self._start).is_file():
            before = training_images_of(Path(self._start))
        images = TrainingImages.of(self._frames)
        self._images = images if before is None else images.joined(before)
