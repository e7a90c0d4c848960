"""Stops training at the first loss that is not finite, without ever waiting for the device.

The flags of a step are looked at some steps later, when their copy (:mod:`distill.training.host_copy`) has
long arrived. The names, the step and the files of the batch are kept with them, so that the message names the
step at fault and not the one that is under way. :meth:`FiniteGuard.finish` looks at all that are left; it is
called before every validation and every checkpoint, so that no spoilt weight is ever measured or stored.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from distill.training.host_copy import HostCopy, copy_to_host
from kd_seg_ros.common.errors import UserError


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
    """Which values of a step are finite."""

    finite: HostCopy
    """bool [n]."""
    names: Sequence[str]
    """Names of the n values."""
    step: Step


class FiniteGuard:
    """Looks at every step's values, a few steps late.

    :param lag: steps by which it looks late; None: that of :mod:`distill.training.host_copy`, a few for
        values on a GPU, none for those of a CPU. All processes of a training look equally late, so that all
        of them stop at the same step.
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
        finite = copy_to_host(torch.isfinite(values))
        self._pending.append(_Flags(finite, names, step))
        lag = finite.lag if self._lag is None else self._lag
        while len(self._pending) > lag:
            _look(self._pending.popleft())

    def finish(self) -> None:
        """Look at all values that are left; waits for the device.

        :raises UserError: if one is NaN or infinite.
        """
        while self._pending:
            _look(self._pending.popleft())


def _look(flags: _Flags) -> None:
    """Raise UserError if a value was not finite."""
    finite = flags.finite.wait()
    if finite.all():
        return
    named = zip(flags.names, finite.tolist(), strict=True)
    wrong = [name for name, fine in named if not fine and name != "loss"]
    step = flags.step
    raise UserError(
        f"training stopped at step {step.number}, epoch {step.epoch}: the loss term "
        f"{', '.join(wrong or ['total'])} is not finite for the batch {', '.join(step.files)}; "
        "the checkpoints written before it are good"
    )
