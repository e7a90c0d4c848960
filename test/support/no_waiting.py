"""Finds operations for which a GPU's host would wait: run a step in it on a CPU, where they show too."""

from __future__ import annotations

import traceback
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

WAITING = {
    "_local_scalar_dense",
    "_unique2",
    "bincount",
    "equal",
    "is_nonzero",
    "masked_select",
    "nonzero",
    "unique_consecutive",
    "unique_dim",
}
"""Operations whose result, or whose result's shape, the host must know: item() and bool() are the first."""
INDEXING = {"index", "index_put", "index_put_"}
"""Operations that wait if they are given a mask."""


class NoWaiting(TorchDispatchMode):
    """Collects in ``found`` what waits, as ``operation at file:line of this project``."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if name in WAITING or (name in INDEXING and any(map(is_mask, args[1]))):
            places = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_stack()]
            ours = [place for place in places if "distill/" in place and "/test/" not in place]
            self.found.append(f"{name} at {ours[-1] if ours else places[-2]}")
        return func(*args, **(kwargs or {}))


def is_mask(index: Any) -> bool:
    return isinstance(index, torch.Tensor) and index.dtype in (torch.bool, torch.uint8)
