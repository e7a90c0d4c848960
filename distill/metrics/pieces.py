"""Dividing an image's pixels between threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

PIXELS_AT_ONCE = 1 << 16
"""On the CPU, so that what is computed of them stays in its cache; a GPU takes the whole image."""

T = TypeVar("T")


def in_pieces(work: Callable[[slice], T], pixels: int, device: torch.device) -> list[T]:
    """Do the work on all pixels, and return what it gives, in order.

    On the CPU as many pieces are worked on at a time as PyTorch has threads, by one thread each. PyTorch
    itself would divide every single operation between its threads and let them wait for one another each
    time, which on a busy machine takes several times as long.
    """
    if device.type != "cpu":
        return [work(slice(0, pixels))]
    pieces = [slice(start, start + PIXELS_AT_ONCE) for start in range(0, pixels, PIXELS_AT_ONCE)]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(work, pieces))
    finally:
        torch.set_num_threads(threads)
