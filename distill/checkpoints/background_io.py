"""Writes checkpoints while training continues, which only has to wait for a copy of the weights in memory.

A checkpoint is copied as it is at that moment, and a thread writes the copy as
:mod:`distill.checkpoints.lightning_io` does, in the order of the calls, so that a kill at any time leaves the
files that it leaves there. Of each file one copy at most waits to be written: a run whose disk is slower than
its epochs is slowed down by it, and does not fill the memory.

If writing fails, the next call of :meth:`BackgroundCheckpointIO.raise_failure`, of any save or of
:meth:`BackgroundCheckpointIO.finish` raises what the write raised.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import CheckpointIO

from distill.checkpoints.lightning_io import AtomicCheckpointIO


class BackgroundCheckpointIO(CheckpointIO):
    """Lightning's reading and writing, of which the latter happens in a thread."""

    def __init__(self) -> None:
        self._files = AtomicCheckpointIO()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._pending: dict[Path, Future[None]] = {}

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:  # noqa: ARG002
        """Copy a checkpoint and have the copy written.

        :raises UserError: if an earlier checkpoint could not be written.
        """
        path = Path(path)
        self.raise_failure()
        before = self._pending.get(path)
        if before is not None:
            before.result()
        self._pending[path] = self._writer.submit(self._files.save_checkpoint, on_host(checkpoint), path)

    def load_checkpoint(
        self, path: Any, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read a checkpoint, once all are written; see :class:`AtomicCheckpointIO`."""
        self.finish()
        return self._files.load_checkpoint(path, map_location, weights_only)

    def remove_checkpoint(self, path: Any) -> None:
        """Delete a checkpoint file, once all are written."""
        self.finish()
        self._files.remove_checkpoint(path)

    def raise_failure(self) -> None:
        """Raise UserError if a checkpoint could not be written; never waits."""
        for path, write in list(self._pending.items()):
            if write.done():
                del self._pending[path]
                write.result()

    def wait(self) -> None:
        """Wait until nothing is left to be written; a failure is raised by the next call of the others."""
        wait(self._pending.values())

    def finish(self) -> None:
        """Wait until all checkpoints are written.

        :raises UserError: if one could not be.
        """
        self.wait()
        self.raise_failure()


def on_host(value: Any, seen: dict[int, Any] | None = None) -> Any:
    """Copy nested mappings, lists and tuples, their tensors to the host's memory.

    :param seen: copies of tensors that occur more than once, by the id of the tensor.
    """
    seen = {} if seen is None else seen
    if isinstance(value, torch.Tensor):
        if id(value) not in seen:
            seen[id(value)] = torch.empty_like(value, device="cpu", requires_grad=False).copy_(value.detach())
        return seen[id(value)]
    if isinstance(value, Mapping):
        # The type of a state_dict carries the versions of its modules: keep it.
        copied = copy.copy(value)
        for key in value:
            copied[key] = on_host(value[key], seen)  # type: ignore[index]
        return copied
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
        return type(value)(on_host(each, seen) for each in value)
    return copy.deepcopy(value)
