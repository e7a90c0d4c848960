"""Sums and means over the processes of a distributed training (torch.distributed's default group).

Each of W processes sees an equal part of the batch and makes a loss of it; DistributedDataParallel averages
their gradients. Where a loss is one sum over the whole batch divided by another, process r must divide its
own sum N_r by the *mean* of all processes' denominators D_s, as then::

    1/W · Σ_r N_r / (1/W · Σ_s D_s)  =  Σ_r N_r / Σ_s D_s

which is what one process with the whole batch has. A mean over equal parts needs nothing: it is the mean of
the parts' means.

Every process must call these functions in the same order with tensors of one shape and type, whatever it
finds in its part; one that leaves early leaves the others waiting. Gradients flow through all of them: an
input's gradient is that of the sum of all processes' losses, which is what DistributedDataParallel's average
expects. Without torch.distributed, and with one process, each returns its argument as it is.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed


def process_count() -> int:
    """Return the number W of processes; 1 where torch.distributed is not initialised."""
    return distributed.get_world_size() if _distributed() else 1


def sum_over_processes(tensor: Tensor) -> Tensor:
    """Return the sum of every process' ``tensor``, of the same shape."""
    return _AllReduce.apply(tensor) if process_count() > 1 else tensor


def mean_over_processes(tensor: Tensor) -> Tensor:
    """Return the mean of every process' ``tensor``, of the same shape; integers become floats."""
    count = process_count()
    return sum_over_processes(tensor) / count if count > 1 else tensor


def gather_over_processes(tensor: Tensor) -> Tensor:
    """Return every process' [n, …] in the order of the ranks: [W·n, …]."""
    count = process_count()
    if count == 1:
        return tensor
    # A sum in which each process fills its own place and leaves 0 elsewhere: unlike all_gather, it has a
    # gradient on every backend.
    places = tensor.new_zeros((count, *tensor.shape))
    places[distributed.get_rank()] = tensor
    return sum_over_processes(places).flatten(0, 1)


def _distributed() -> bool:
    return distributed.is_available() and distributed.is_initialized()


class _AllReduce(torch.autograd.Function):
    """A sum over processes, whose gradient is the sum of all processes' gradients."""

    @staticmethod
    def forward(_: Any, tensor: Tensor) -> Tensor:
        """Return the sum over all processes, leaving ``tensor`` as it is."""
        total = tensor.clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> Any:
        """Sum the gradients over all processes: every process' result depends on this one's input."""
        return _AllReduce.apply(gradient)
