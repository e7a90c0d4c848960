"""The device that networks run on."""

from __future__ import annotations

import torch


def default_device() -> torch.device:
    """Return the first CUDA device where PyTorch finds one, otherwise the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
