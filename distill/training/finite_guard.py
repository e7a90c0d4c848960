"""Stops training at the first loss that is not finite, without ever waiting for the device.

To look at a value that a GPU has yet to compute, the host must wait, and meanwhile the GPU runs dry. So the
flags of a step are copied to the host when they are there, and looked at some steps later, when that copy is
long done. The names, the step and the files of the batch are kept with them, so that the message names the
step at fault and not the one that is under way. :meth:`FiniteGuard.finish` looks at all that are left; it is
called before every validation and every checkpoint, so that no spoilt weight is ever measured or stored.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from kd_seg_ros.common.errors import UserError

LAG: Final = 2
"""Steps after which a GPU's flags are looked at; so many steps does the host run ahead of the GPU at most."""


@dataclass(frozen=True)
class Step:
    """A step of training, as the message names it."""

    number: int
    """Number of the step in the run, from 0."""
    epoch: int
    """Its epoch, from 0."""
    files: Sequence[str]
    """Files of the images of its batch."""


@dataclass(frozen=True)
class _Flags:
    """Which values of a step are finite, on their way to the host."""

    finite: Tensor
    """bool [n], on the host; valid once ``copied`` has happened."""
    copied: torch.cuda.Event | None
    names: Sequence[str]
    """Names of the n values."""
    step: Step


class FiniteGuard:
    """Looks at every step's values, a few steps late.

    :param lag: steps by which it looks late; None: :data:`LAG` for values on a GPU, at once for those of a
        CPU. All processes of a training look equally late, so that all of them stop at the same step.
    """

    def __init__(self, lag: int | None = None) -> None:
        self._lag = lag
        self._pending: deque[_Flags] = deque()

    def watch(self, names: Sequence[str], values: Tensor, step: Step) -> None:
        """Take note of one step's values, and look at those of an earlier one.

        :param names: what the values are called in the message.
        :param values: [n], on any device; the total loss among them is called ``loss``.
        :raises UserError: if a value of a step that is looked at is NaN or infinite.
        """
        self._pending.append(_on_the_way(names, torch.isfinite(values), step))
        lag = self._lag
        if lag is None:
            lag = LAG if values.is_cuda else 0
        while len(self._pending) > lag:
            _look(self._pending.popleft())

    def finish(self) -> None:
        """Look at all values that are left; waits for the device.

        :raises UserError: if one is NaN or infinite.
        """
        while self._pending:
            _look(self._pending.popleft())


def _on_the_way(names: Sequence[str], finite: Tensor, step: Step) -> _Flags:
    """Start to copy flags to the host, after what the device still has to do."""
    if not finite.is_cuda:
        return _Flags(finite, None, names, step)
    host = torch.empty(finite.shape, dtype=finite.dtype, pin_memory=True)
    host.copy_(finite, non_blocking=True)
    copied = torch.cuda.Event()
    copied.record()
    return _Flags(host, copied, names, step)


def _look(flags: _Flags) -> None:
    """Raise UserError if a value was not finite."""
    if flags.copied is not None:
        flags.copied.synchronize()
    if flags.finite.all():
        return
    named = zip(flags.names, flags.finite.tolist(), strict=True)
    wrong = [name for name, fine in named if not fine and name != "loss"]
    step = flags.step
    raise UserError(
        f"training stopped at step {step.number}, epoch {step.epoch}: the loss term "
        f"{', '.join(wrong or ['total'])} is not finite for the batch {', '.join(step.files)}; "
        "the checkpoints written before it are good"
    )
