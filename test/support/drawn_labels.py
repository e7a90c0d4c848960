"""Logits whose softmax is the truth: labels drawn from it."""

from __future__ import annotations

import torch
from torch import Tensor


def calibrated_pixels(count: int, classes: int, spread: float = 2.0, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Random logits float64 [N, C], and labels int64 [N] drawn from the distribution they describe."""
    generator = torch.Generator().manual_seed(seed)
    logits = spread * torch.randn(count, classes, generator=generator, dtype=torch.float64)
    return logits, torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
