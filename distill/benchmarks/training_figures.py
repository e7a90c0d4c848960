"""What suite ``training`` measures of a step of the engine."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Parts:
    """Seconds of the parts of one step of the engine."""

    teacher: float
    """The teacher's forward pass."""
    student: float
    """The student's forward and backward pass, and the optimiser's step."""
    losses: float
    """Forward and backward pass of the losses, down to the student's outputs."""
    data: float
    """Augmenting one batch, in one process; workers do it while the network trains."""


@dataclass(frozen=True)
class Cache:
    """The teacher's outputs on disk (``--teacher.cache``)."""

    seconds: float
    """Time to read the outputs for one batch."""
    bytes_per_image: int
    """Size of the outputs for one image."""


@dataclass(frozen=True)
class Stall:
    """How long a checkpoint of student and optimiser stops training."""

    bytes: int
    """Size of the checkpoint."""
    at_once_seconds: float
    """Time to write it, forced to the disk, as it would take in the middle of training."""
    stall_seconds: float
    """Time to copy it for the thread that then writes it."""
