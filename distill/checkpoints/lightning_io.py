"""Lightning's writing and reading of a run's checkpoints: atomic, checked, and the one before is kept.

In a run's folder ``last.ckpt`` is the state after the latest epoch, ``previous.ckpt`` the one before it and
``best.ckpt`` the one with the best validation mIoU. Whenever the process is killed, one of them is whole.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from lightning.pytorch.plugins.io import CheckpointIO
from lightning.pytorch.utilities import rank_zero_only

from distill.checkpoints.checkpoint_file import load_checkpoint, newest_whole, save_checkpoint
from kd_seg_ros.common.errors import UserError

_logger = logging.getLogger(__name__)

LAST = "last.ckpt"
PREVIOUS = "previous.ckpt"
BEST = "best.ckpt"
_PARTS: Final = {
    "hyper_parameters": Mapping,
    "state_dict": Mapping,
    "loops": Mapping,
    "callbacks": Mapping,
    "global_step": int,
    "optimizer_states": list,
    "lr_schedulers": list,
}
"""What a checkpoint of a training must hold to be resumed, with its type."""
MOST_EPOCHS: Final = 10**9
"""Most epochs or steps that a checkpoint can have done."""
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


def check_resumable(path: Path, checkpoint: object) -> None:
    """Refuse a checkpoint that no training of ``fit`` has written, before Lightning trips over it.

    :param path: the file, for the message.
    :param checkpoint: its content.
    :raises UserError: naming what is missing or odd.
    """
    fault = ""
    if not isinstance(checkpoint, Mapping):
        fault = f"it holds a {type(checkpoint).__name__}"
    else:
        for key, kind in _PARTS.items():
            if not isinstance(checkpoint.get(key), kind):
                fault = f"its {key} is {'missing' if key not in checkpoint else 'damaged'}"
                break
        else:
            fault = _odd_progress(checkpoint)
    if fault:
        raise UserError(
            f"{path} cannot be resumed: {fault}; start a new run with --name, or with --student.checkpoint "
            "to keep the weights"
        )


def _odd_progress(checkpoint: Mapping[str, Any]) -> str:
    """Say what is wrong with a checkpoint's counts of epochs and steps; empty if nothing is."""
    try:
        done = checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"]
        config = checkpoint["hyper_parameters"]["config"]
    except (LookupError, TypeError):
        return "its loops or hyper_parameters are damaged"
    if not isinstance(config, Mapping):
        return "its hyper_parameters are damaged"
    for name, value in (("number of epochs", done), ("global_step", checkpoint["global_step"])):
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MOST_EPOCHS:
            return f"its {name} is {str(value)[:40]}"
    if not checkpoint["optimizer_states"]:
        return "its optimizer_states are empty"
    return ""


def epochs_done(checkpoint: Mapping[str, Any]) -> int:
    """Return how many epochs the run of a checkpoint had done when it was written.

    :param checkpoint: its content, which :func:`check_resumable` has passed.
    """
    return int(checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"])
