"""Losses that are differentiated as soon as they are computed, so that nothing of their graphs is kept.

Backpropagation through a sum of losses keeps what each of them needs, several FP32 copies of the logits and
of every map, until the backward pass. Here each loss L_k of some tensors x_i is differentiated immediately,
its graph is freed, and all that is kept is one gradient for each tensor::

    L = Σ_k L_k,     g_i = Σ_k ∂L_k/∂x_i;     backward: upstream·g_i

The values are those of plain backpropagation. Half-precision inputs are computed with, and their g_i kept,
in FP32, and autocast is off, also for adapters: a gradient of 1e-8 would be 0 in FP16, where the scaler of
mixed precision comes only with the upstream gradient. A second derivative does not exist.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor

LossFunction: TypeAlias = Callable[[Sequence[Tensor]], Sequence[Tensor]]
"""Computes scalars from stand-ins of the inputs. What they share is computed once."""


def immediate_backward(
    functions: Sequence[LossFunction], inputs: Sequence[Tensor], parameters: Iterable[Tensor] = ()
) -> Tensor:
    """Return the sum of all losses that some functions compute.

    :param functions: called one after the other with FP32 or FP64 stand-ins of ``inputs``, in their order;
        the graphs of one are freed before the next is called.
    :param parameters: other tensors that the losses depend on and that must get a gradient.
    """
    with torch.autocast(inputs[0].device.type, enabled=False):
        if torch.is_grad_enabled():
            total: Tensor = _ImmediateBackward.apply(functions, len(inputs), *inputs, *parameters)
            return total
        losses: list[Tensor] = []
        for function in functions:
            losses += function([_at_least_fp32(tensor) for tensor in inputs])
        return torch.stack(losses).sum()


def _at_least_fp32(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


class _ImmediateBackward(torch.autograd.Function):
    """A sum of losses whose gradients are computed in the forward pass."""

    @staticmethod
    def forward(ctx: Any, functions: Sequence[LossFunction], count: int, *tensors: Tensor) -> Tensor:
        """Sum the losses and their gradients; ``count`` of the tensors are the inputs, then parameters."""
        stand_ins = []
        for tensor in tensors[:count]:
            stand_ins.append(_at_least_fp32(tensor.detach()).requires_grad_())
        wanted = [*stand_ins, *tensors[count:]]
        sums: list[Tensor | None] = [None] * len(wanted)
        total: Tensor | None = None
        with torch.enable_grad():
            for function in functions:
                for loss in function(stand_ins):
                    total = loss.detach() if total is None else total + loss.detach()
                    if loss.requires_grad:
                        gradients = torch.autograd.grad(loss, wanted, allow_unused=True)
                        sums = [_add(old, new) for old, new in zip(sums, gradients, strict=True)]
        assert total is not None

        # Only tensors can be saved: remember which of the sums there are.
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


def _add(old: Tensor | None, new: Tensor | None) -> Tensor | None:
    """Sum of two gradients, either of which may not exist."""
    if old is None or new is None:
        return new if old is None else old
    return old + new
