"""Losses that are differentiated as soon as they are computed, so that nothing of their graphs is kept.

Backpropagation through a sum of losses keeps what each of them needs, several FP32 copies of the logits and
of every map, until the backward pass. Here each loss L_k of some tensors x_i is differentiated at once, its
graph freed, and all that is kept is one tensor for each input::

    L = Σ_k L_k,     g_i = Σ_k ∂L_k/∂x_i;     backward: upstream·g_i

The values are those of plain backpropagation. Half-precision inputs are computed with, and their g_i kept,
in FP32, and autocast is off, for adapters, too: a gradient of 1e-8 would be 0 in FP16, where the scaler of
mixed precision comes only with the upstream gradient. A second derivative does not exist.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

Losses = Callable[[Sequence[Tensor]], Iterable[Tensor]]
"""From stand-ins of the inputs to scalars, one after the other."""


def immediate_backward(losses: Losses, inputs: Sequence[Tensor], parameters: Iterable[Tensor] = ()) -> Tensor:
    """Return the sum of some losses.

    :param losses: called with FP32 or FP64 stand-ins of ``inputs``, in their order.
    :param parameters: what else the losses depend on and shall get a gradient.
    """
    with torch.autocast(inputs[0].device.type, enabled=False):
        if torch.is_grad_enabled():
            total: Tensor = _ImmediateBackward.apply(losses, len(inputs), *inputs, *parameters)
            return total
        return torch.stack([*losses([_full(tensor) for tensor in inputs])]).sum()


def _full(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


class _ImmediateBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, losses: Losses, count: int, *tensors: Tensor) -> Tensor:
        """Sum the losses and their gradients."""
        inputs, parameters = tensors[:count], tensors[count:]
        stand_ins = [_full(tensor.detach()).requires_grad_() for tensor in inputs]
        wanted = [*stand_ins, *parameters]
        sums: list[Tensor | None] = [None] * len(wanted)
        total: Tensor | None = None
        with torch.enable_grad():
            for loss in losses(stand_ins):
                total = loss.detach() if total is None else total + loss.detach()
                if not loss.requires_grad:
                    continue
                gradients = torch.autograd.grad(loss, wanted, allow_unused=True)
                for place, gradient in enumerate(gradients):
                    if gradient is not None:
                        old = sums[place]
                        sums[place] = gradient if old is None else old + gradient
        assert total is not None
        ctx.given = [gradient is not None for gradient in sums]
        ctx.dtypes = [tensor.dtype for tensor in tensors]
        ctx.save_for_backward(*(gradient for gradient in sums if gradient is not None))
        return total

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> Any:
        """Scale the gradients that were kept."""
        kept = iter(ctx.saved_tensors)
        gradients = [
            (upstream[0] * next(kept)).to(dtype) if given else None
            for given, dtype in zip(ctx.given, ctx.dtypes, strict=True)
        ]
        return None, None, *gradients
