"""The optimiser's step without waiting for the device: fused Adam, and clipping of gradients that fits it.

Fused Adam updates all weights in a few kernels and keeps its number of steps on the device. With FP16,
PyTorch's gradient scaler hands its scale and its "found an infinity" to it, where it would otherwise wait
every step to read the latter on the host.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.amp.grad_scaler import GradScaler


def use_fused(state: dict[str, Any]) -> None:
    """Let an Adam whose state is about to be loaded be fused: earlier checkpoints have it otherwise.

    :param state: what the optimiser's ``state_dict`` returned; changed in place.
    """
    for group in state["param_groups"]:
        group["fused"], group["foreach"] = True, None


def scale_of(scaler: GradScaler | None, like: Tensor) -> Tensor | None:
    """Return the factor by which a scaler multiplies the loss, without waiting for the device.

    :param like: a scalar of the type and device of the result.
    :returns: a scalar; None without a scaler.
    """
    if scaler is None:
        return None
    factor: Tensor = scaler.scale(torch.ones_like(like))
    return factor


def clip_gradients(optimizer: torch.optim.Optimizer, most: float, scaler: GradScaler | None) -> None:
    """Shorten the whole gradient to a greatest norm, without waiting for the device.

    :param most: the greatest norm, of the gradient without the scaler's factor.
    :param scaler: what the loss was scaled by. Fused Adam takes its factor out only while it steps, so that
        the gradients still have it here.
    """
    parameters: list[Tensor] = []
    for group in optimizer.param_groups:
        parameters += [parameter for parameter in group["params"] if parameter.grad is not None]
    norm = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
    if scaler is not None:
        norm = norm / scaler.scale(torch.ones_like(norm))
    torch.nn.utils.clip_grads_with_norm_(parameters, most, norm)
