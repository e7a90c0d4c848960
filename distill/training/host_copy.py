"""Copies of a GPU's values on the host that nobody waits for: they are read some steps later.

To look at a value that a GPU has yet to compute, the host must wait, and meanwhile the GPU runs dry. So the
copy is only started, after what the device still has to do, and read when it is long done.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

LAG: Final = 2
"""Steps after which a GPU's values are looked at; so many steps does the host run ahead of the GPU at
most."""


@dataclass(frozen=True)
class HostCopy:
    """A tensor on its way to the host."""

    values: Tensor
    """On the host; valid once ``copied`` has happened."""
    copied: torch.cuda.Event | None
    """What marks the end of the copy on the device; None where there was nothing to copy."""
    lag: int
    """Steps after which to look at the values without waiting: :data:`LAG`, or 0 for those of a CPU."""

    def wait(self) -> Tensor:
        """Return the values, after waiting for the device where they have not arrived yet."""
        if self.copied is not None:
            self.copied.synchronize()
        return self.values


def copy_to_host(values: Tensor) -> HostCopy:
    """Start to copy a tensor without a graph to the host; return at once."""
    if not values.is_cuda:
        return HostCopy(values, None, lag=0)
    host = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
    host.copy_(values, non_blocking=True)
    copied = torch.cuda.Event()
    copied.record()
    return HostCopy(host, copied, lag=LAG)
