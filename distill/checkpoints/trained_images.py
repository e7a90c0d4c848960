"""The images that a checkpoint's network was trained on, as `fit` keeps them among Lightning's callbacks."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from distill.datasets.training_images import TrainingImages

IMAGES_KEY: Final = "training_images"
"""Key of the images in a checkpoint's ``callbacks``, and of their number in the ``model`` of metrics.json."""


def training_images_of(path: Path) -> TrainingImages | None:
    """Return the images that a checkpoint was trained on; None if an earlier version has trained it.

    :param path: the checkpoint, a whole file.
    """
    # Here, since the list of experiments knows the key and starts without PyTorch.
    from distill.checkpoints.checkpoint_file import callback_state

    return TrainingImages.parse(callback_state(path, IMAGES_KEY))
