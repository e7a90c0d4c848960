"""Divides the pixels of an image between threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

PIXELS_AT_ONCE = 1 << 16
"""Pixels of a piece on the CPU, so that intermediate results stay in its cache; a GPU takes all pixels."""

T = TypeVar("T")


def in_pieces(work: Callable[[slice], T], pixels: int, device: torch.device) -> list[T]:
    """Apply a function to pieces of an image's pixels, and return the results in order.

    :param work: takes the slice of pixels to work on.

    On the CPU as many pieces are processed at a time as PyTorch has threads, each by one thread. PyTorch
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
