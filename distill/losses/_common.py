"""Shared by the losses: full precision under autocast, shape checks, quotients over the whole batch."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

import torch
from torch import Tensor

from distill.common.distributed import mean_over_processes

P = ParamSpec("P")


def in_full_precision(loss: Callable[P, Tensor]) -> Callable[P, Tensor]:
    """Make ``loss`` compute in FP32 whatever the precision of its inputs and of autocast.

    FP16 and BF16 tensors become FP32; FP64 stays, so that gradients can be checked numerically.
    """

    @wraps(loss)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> Tensor:
        tensor = next(value for value in (*args, *kwargs.values()) if isinstance(value, Tensor))
        with torch.autocast(tensor.device.type, enabled=False):
            return loss(
                *(_upcast(value) for value in args),
                **{name: _upcast(value) for name, value in kwargs.items()},
            )

    return wrapper


def _upcast(value: Any) -> Any:
    half = isinstance(value, Tensor) and value.dtype in (torch.float16, torch.bfloat16)
    return value.float() if half else value


def check_same_shape(student: Tensor, teacher: Tensor, dims: int = 4) -> None:
    """Raise ValueError unless both have ``dims`` dimensions and one shape."""
    if student.shape != teacher.shape or student.dim() != dims:
        raise ValueError(
            f"student {tuple(student.shape)} and teacher {tuple(teacher.shape)} "
            f"must have the same shape of {dims} dimensions"
        )


def check_same_size(student: Tensor, teacher: Tensor) -> None:
    """Raise ValueError unless both are [B, C, H, W] with the same B, H and W; C may differ."""
    same = student.shape[:1] + student.shape[2:] == teacher.shape[:1] + teacher.shape[2:]
    if student.dim() != 4 or teacher.dim() != 4 or not same:
        raise ValueError(
            f"student {tuple(student.shape)} and teacher {tuple(teacher.shape)} "
            "must be [B, C, H, W] with the same B, H and W"
        )


def check_per_pixel(logits: Tensor, **maps: Tensor) -> None:
    """Raise ValueError unless every map is [B, H, W] for logits [B, C, H, W]."""
    for name, values in maps.items():
        if logits.dim() != 4 or values.shape != (logits.shape[0], *logits.shape[2:]):
            raise ValueError(
                f"{name} {tuple(values.shape)} must be [B, H, W] of logits [B, C, H, W] {tuple(logits.shape)}"
            )


def weighted_mean(values: Tensor, weights: Tensor, total: Tensor | None = None) -> Tensor:
    """Σ w·v / Σ w; 0, with gradient 0, where all weights are 0. ``weights`` ≥ 0, same shape as ``values``.

    :param total: where these are some images of a batch only: :func:`batch_total` of Σ w of all of them.
        Then the sum over the batch's parts is the batch's mean.
    """
    return quotient((weights * values).sum(), weights.sum(), total)


def quotient(numerator: Tensor, denominator: Tensor, total: Tensor | None = None) -> Tensor:
    """``numerator`` / ``denominator`` ≥ 0 of a batch; 0, with gradient 0, where the latter is 0.

    Where several processes have a part of the batch each, the mean of their quotients is that of the whole
    (see :mod:`distill.common.distributed`).

    :param total: what to divide by in place of ``denominator``, see :func:`weighted_mean`.
    """
    mean = batch_total(denominator) if total is None else total
    mean = mean.to(numerator.dtype)
    return numerator / torch.where(mean > 0, mean, 1)


def batch_total(denominator: Tensor) -> Tensor:
    """Return what each process divides its part of a sum over the whole batch by."""
    return mean_over_processes(denominator)
