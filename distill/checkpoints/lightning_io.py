"""Lightning's writing and reading of a run's checkpoints: atomic, checked, and the one before is kept.

In a run's folder ``last.ckpt`` is the state after the latest epoch, ``previous.ckpt`` the one before it and
``best.ckpt`` the one with the best validation mIoU. Whenever the process is killed, one of them is whole.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from lightning.pytorch.plugins.io import CheckpointIO
from lightning.pytorch.utilities import rank_zero_only

from distill.checkpoints.checkpoint_file import load_checkpoint, newest_whole, save_checkpoint
from kd_seg_ros.common.errors import UserError

_logger = logging.getLogger(__name__)

LAST = "last.ckpt"
PREVIOUS = "previous.ckpt"
BEST = "best.ckpt"
NEXT = "next.ckpt"
"""Name of the file that is about to become the last checkpoint; it exists for a moment only."""


class AtomicCheckpointIO(CheckpointIO):
    """Lightning's reading and writing, through :mod:`distill.checkpoints.checkpoint_file`."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:  # noqa: ARG002
        """Write a checkpoint atomically; the last one until now becomes the previous one."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.name != LAST or not path.is_file():
            save_checkpoint(checkpoint, path)
            return
        # First the new one as a whole: on a full disk both old ones stay.
        fresh = path.with_name(NEXT)
        save_checkpoint(checkpoint, fresh)
        path.replace(path.with_name(PREVIOUS))
        fresh.replace(path)

    def load_checkpoint(
        self,
        path: Any,
        map_location: Any = None,  # noqa: ARG002
        weights_only: bool | None = None,  # noqa: ARG002
    ) -> dict[str, Any]:
        """Read a checkpoint onto the CPU, every byte checked, without unpickling."""
        checkpoint: dict[str, Any] = load_checkpoint(Path(path))
        return checkpoint

    def remove_checkpoint(self, path: Any) -> None:
        """Delete a checkpoint file, if it exists."""
        Path(path).unlink(missing_ok=True)


def checkpoint_to_resume(folder: Path) -> Path:
    """Return a run's newest whole checkpoint; log it and the damaged ones that were skipped.

    Where several processes train, the first of them logs.

    :raises UserError: if there is none.
    """
    path, skipped = newest_whole([folder / BEST, folder / PREVIOUS, folder / LAST])
    for line in skipped:
        rank_zero_only(_logger.warning)("%s: the one before is used", line)
    if path is None:
        what = "every checkpoint is damaged" if skipped else f"{folder / LAST} does not exist"
        raise UserError(f"nothing to resume: {what}")
    rank_zero_only(_logger.info)("resuming from %s", path)
    return path


def epochs_done(checkpoint: dict[str, Any]) -> int:
    """Return how many epochs the run of a checkpoint had done when it was written.

    :param checkpoint: its content.
    """
    return int(checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"])
