"""Losses that are differentiated as soon as they are computed, so that nothing of their graphs is kept.

Backpropagation through a sum of losses keeps what each of them needs, several FP32 copies of the logits and
of every map, until the backward pass. Here each loss L_k of some tensors x_i is differentiated immediately,
its graph is freed, and all that is kept is one gradient for each tensor::

    L = Σ_k L_k,     g_i = Σ_k ∂L_k/∂x_i;     backward: upstream·g_i

A loss that is a sum over the images of the batch is computed for a few of them at a time
(:class:`ByImage`), so that its FP32 copies are those of a few images only.

The values are those of plain backpropagation. Half-precision inputs are computed with, and their g_i kept,
in FP32, and autocast is off, also for adapters: a gradient of 1e-8 would be 0 in FP16, where the scaler of
mixed precision comes only with the upstream gradient. A second derivative does not exist.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import torch
from torch import Tensor

LossFunction: TypeAlias = Callable[[Sequence[Tensor]], Sequence[Tensor]]
"""Computes scalars from stand-ins of the inputs. What they share is computed once."""

BYTES_AT_ONCE: Final = 128 << 20
"""Images are taken together up to this size of their largest FP32 input. Of a full-size step of the thesis,
2 images' logits and 2 images' largest maps: fewer save little memory and start many small kernels."""


@dataclass(frozen=True)
class ByImage:
    """A loss whose value for a batch is the sum of its values for the images."""

    compute: Callable[[Sequence[Tensor], slice], Sequence[Tensor]]
    """Computes scalars from stand-ins of some images' inputs, and the slice of the batch that these are."""


Losses: TypeAlias = Sequence[LossFunction | ByImage]


def immediate_backward(
    functions: Losses, inputs: Sequence[Tensor], parameters: Iterable[Tensor] = ()
) -> Tensor:
    """Return the sum of all losses that some functions compute.

    :param functions: called one after the other with FP32 or FP64 stand-ins of ``inputs``, in their order;
        the graphs of one are freed before the next is called.
    :param inputs: [B, …] each, if a function is :class:`ByImage`.
    :param parameters: other tensors that the losses depend on and that must get a gradient.
    """
    with torch.autocast(inputs[0].device.type, enabled=False):
        if torch.is_grad_enabled():
            total: Tensor = _ImmediateBackward.apply(functions, len(inputs), *inputs, *parameters)
            return total
        return plain_sum(functions, inputs)


def plain_sum(functions: Losses, inputs: Sequence[Tensor], _parameters: Iterable[Tensor] = ()) -> Tensor:
    """Return the same sum with a graph for plain backpropagation, if gradients are recorded."""
    losses: list[Tensor] = []
    with torch.autocast(inputs[0].device.type, enabled=False):
        for function in functions:
            for images in _parts(function, inputs):
                losses += _compute(function, [_at_least_fp32(tensor[images]) for tensor in inputs], images)
        return torch.stack(losses).sum()


def _parts(function: LossFunction | ByImage, inputs: Sequence[Tensor]) -> Iterator[slice]:
    """Yield the slices of the batch for which a function is to be called; one of everything, or by images."""
    if not isinstance(function, ByImage):
        yield slice(None)
        return
    batch = len(inputs[0])
    largest = max(tensor.numel() for tensor in inputs) // max(batch, 1)
    count = max(1, BYTES_AT_ONCE // max(4 * largest, 1))
    for start in range(0, batch, count):
        yield slice(start, min(start + count, batch))


def _compute(
    function: LossFunction | ByImage, stand_ins: Sequence[Tensor], images: slice
) -> Sequence[Tensor]:
    if isinstance(function, ByImage):
        return function.compute(stand_ins, images)
    return function(stand_ins)


def _at_least_fp32(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


class _ImmediateBackward(torch.autograd.Function):
    """A sum of losses whose gradients are computed in the forward pass."""

    @staticmethod
    def forward(ctx: Any, functions: Losses, count: int, *tensors: Tensor) -> Tensor:
        """Sum the losses and their gradients; ``count`` of the tensors are the inputs, then parameters."""
        inputs, parameters = tensors[:count], tensors[count:]
        of_inputs: list[Tensor | None] = [None] * count
        of_parameters: list[Tensor | None] = [None] * len(parameters)
        total: Tensor | None = None
        for function in functions:
            for images in _parts(function, inputs):
                loss, gradients = _differentiate(function, inputs, parameters, images)
                total = _add(total, loss)
                for number, gradient in enumerate(gradients[:count]):
                    of_inputs[number] = _add_images(of_inputs[number], gradient, images, inputs[number])
                for number, gradient in enumerate(gradients[count:]):
                    of_parameters[number] = _add(of_parameters[number], gradient)
        assert total is not None

        # Only tensors can be saved: remember which of the sums there are.
        sums = [*of_inputs, *of_parameters]
        ctx.has_gradient = [gradient is not None for gradient in sums]
        ctx.dtypes = [tensor.dtype for tensor in tensors]
        ctx.save_for_backward(*[gradient for gradient in sums if gradient is not None])
        return total

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> Any:
        """Scale the gradients that were kept."""
        saved = iter(ctx.saved_tensors)
        gradients: list[Tensor | None] = []
        for has_gradient, dtype in zip(ctx.has_gradient, ctx.dtypes, strict=True):
            gradients.append((upstream[0] * next(saved)).to(dtype) if has_gradient else None)
        return None, None, *gradients


def _differentiate(
    function: LossFunction | ByImage, inputs: Sequence[Tensor], parameters: Sequence[Tensor], images: slice
) -> tuple[Tensor | None, Sequence[Tensor | None]]:
    """Return the sum of a function's losses for some images, and its gradients; None where there is none.

    :returns: a scalar without a graph, and a gradient for each input's images and for each parameter.
    """
    stand_ins = [_at_least_fp32(tensor.detach()[images]).requires_grad_() for tensor in inputs]
    wanted = [*stand_ins, *parameters]
    with torch.enable_grad():
        losses = _compute(function, stand_ins, images)
        if not losses:
            return None, [None] * len(wanted)
        loss = torch.stack(list(losses)).sum()
        gradients: Sequence[Tensor | None] = [None] * len(wanted)
        if loss.requires_grad:
            gradients = torch.autograd.grad(loss, wanted, allow_unused=True)
    return loss.detach(), gradients


def _add_images(total: Tensor | None, gradient: Tensor | None, images: slice, whole: Tensor) -> Tensor | None:
    """Add the gradient for some images to the sum for the whole batch, either of which may not exist.

    :param whole: the input, whose shape the sum has.
    """
    if gradient is None or images == slice(None) or len(gradient) == len(whole):
        return _add(total, gradient)
    if total is None:
        total = torch.zeros_like(whole, dtype=gradient.dtype)
    total[images] += gradient
    return total


def _add(old: Tensor | None, new: Tensor | None) -> Tensor | None:
    """Sum of two tensors, either of which may not exist."""
    if old is None or new is None:
        return new if old is None else old
    return old + new
