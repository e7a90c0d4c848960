"""Synchronised BatchNorm: in training, the statistics are those of all processes' batches together.

With n = B·h·w values of a channel in each of W processes, x_ri the i-th of process r::

    μ = 1/(W·n) · Σ_r Σ_i x_ri,    σ² = 1/(W·n) · Σ_r Σ_i (x_ri − μ)²,    y = γ·(x − μ)/√(σ² + eps) + β

as in one process with the whole batch, gradients included. So are the running statistics, the variance with
W·n − 1 in place of W·n. In evaluation mode, and in a single process, it is a BatchNorm like any other. The
names of parameters and buffers never change.

On a GPU this is torch's SyncBatchNorm, in timm's conversion: torch's own would drop the activations that are
part of timm's BatchNorms. It refuses tensors on a CPU; for these are the modules here, of plain tensor
operations.
"""

from __future__ import annotations

from typing import TypeVar

import torch
from timm.layers import BatchNormAct2d, convert_sync_batchnorm
from torch import Tensor, nn

from distill.common.distributed import mean_over_processes, process_count

Network = TypeVar("Network", bound=nn.Module)


def synchronise_batch_norms(network: Network, device: str) -> Network:
    """Make every BatchNorm2d below ``network`` share its statistics over the processes; return ``network``.

    The network is changed in place.

    Parameters stay the same objects, so that an optimiser may already hold them.

    :param device: type of the device of training, ``cuda`` or ``cpu``.
    """
    if device == "cuda":
        convert_sync_batchnorm(network)
        return network
    for module in network.modules():
        if type(module) in SYNCHRONISED:
            module.__class__ = SYNCHRONISED[type(module)]
    return network


class SyncBatchNorm2d(nn.BatchNorm2d):
    """A BatchNorm of [B, C, h, w], B·h·w being equal in all processes."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise. In training every process must take part."""
        return _normalised(self, x) if _is_shared(self) else super().forward(x)


class SyncBatchNormAct2d(BatchNormAct2d):
    """A :class:`SyncBatchNorm2d` followed by the activation that timm puts into its BatchNorms."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise and activate. In training every process must take part."""
        return self.act(self.drop(_normalised(self, x))) if _is_shared(self) else super().forward(x)


SYNCHRONISED: dict[type[nn.Module], type[nn.Module]] = {
    nn.BatchNorm2d: SyncBatchNorm2d,
    BatchNormAct2d: SyncBatchNormAct2d,
}


def _is_shared(norm: nn.BatchNorm2d) -> bool:
    return norm.training and process_count() > 1


def _normalised(norm: nn.BatchNorm2d, x: Tensor) -> Tensor:
    """Normalise [B, C, h, w] with the statistics of all processes' batches, as in the module's equations."""
    # Statistics in FP32: in half precision squares overflow and sums lose digits.
    values = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
    mean = mean_over_processes(values.mean((0, 2, 3), keepdim=True))
    centred = values - mean
    variance = mean_over_processes(centred.square().mean((0, 2, 3), keepdim=True))
    if norm.track_running_stats:
        _update(norm, mean.detach(), variance.detach(), process_count() * x.numel() // x.shape[1])
    # y = γ·(x − μ)/√(σ² + eps) + β
    result = centred * (variance + norm.eps).rsqrt()
    if norm.affine:
        result = result * norm.weight[:, None, None] + norm.bias[:, None, None]
    return result.to(x.dtype)


@torch.no_grad()
def _update(norm: nn.BatchNorm2d, mean: Tensor, variance: Tensor, count: int) -> None:
    """Move the running statistics towards those of ``count`` values of each channel."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert norm.num_batches_tracked is not None
    norm.num_batches_tracked += 1
    step = 1 / norm.num_batches_tracked.item() if norm.momentum is None else norm.momentum
    norm.running_mean.lerp_(mean.flatten().to(norm.running_mean.dtype), step)
    norm.running_var.lerp_((variance.flatten() * count / (count - 1)).to(norm.running_var.dtype), step)
