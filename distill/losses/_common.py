"""Shared by the losses: full precision, shape checks, labels of a map, quotients over the whole batch."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

import torch
from torch import Tensor
from torch.nn import functional as F

from distill.common.distributed import mean_over_processes
from kd_seg_ros.common.classes import IGNORE_ID

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


def classes_at(labels: Tensor, features: Tensor) -> Tensor:
    """Return the label at the centre of each position of a map (nearest neighbour), int64 [B, H·W].

    :param labels: [B, h, w] of any size, covering what the map covers.
    :param features: the map [B, C, H, W].
    :raises ValueError: for other shapes.
    """
    if labels.dim() != 3 or labels.shape[0] != features.shape[0]:
        shapes = f"labels {tuple(labels.shape)}", f"features [B, C, H, W] {tuple(features.shape)}"
        raise ValueError(f"{shapes[0]} must be [B, h, w] for {shapes[1]}")
    at_centres = F.interpolate(labels[:, None].float(), features.shape[2:], mode="nearest-exact")
    return at_centres.flatten(1).long()


def members_of(classes: Tensor, num_classes: int, dtype: torch.dtype) -> Tensor:
    """Return which class each position is of, 0/1 [B, N, num_classes]; all 0 where ignored.

    :param classes: int64 [B, N], 0…num_classes−1 or 255 (ignored).
    """
    # A scatter in place of one_hot, which on some devices waits for the greatest class. Ignored pixels are of
    # one class more, which is cut off again.
    kinds = classes.where(classes != IGNORE_ID, num_classes)[:, :, None]
    empty = torch.zeros(*classes.shape, num_classes + 1, dtype=dtype, device=classes.device)
    return empty.scatter_(2, kinds, 1)[..., :num_classes]


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
