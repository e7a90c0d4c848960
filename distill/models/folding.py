"""Folding SwiftNet's decoder: its BatchNorms become part of the convolutions before them.

A BatchNorm in evaluation mode multiplies every channel by a and adds b. In the decoder it acts on sums of
convolutions' outputs (a blend's or projections') and of bilinear upsamplings of them::

    a · (↑conv_1(x) + conv_2(y)) + b  =  ↑(a · conv_1)(x) + (a · conv_2)(y) + b

because the weights of an upsampling do not depend on the channel. So a goes into weights and biases of all
convolutions that the sum is made of, and b into the bias of one of them; the weights of an upsampling add up
to 1, so that it does not matter which. What each BatchNorm normalises is read by nothing else in a deployed
network. The BatchNorms of the backbone stay: they are kept per pyramid level, the convolutions are not.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from distill.models.swiftnet import STRIDES, SwiftNet


def folded(network: nn.Module) -> nn.Module:
    """Copy a network in evaluation mode, with the decoder's BatchNorms folded if it is a SwiftNet.

    The logits are the same to the rounding of FP32. The feature maps are those after the BatchNorms: the copy
    is for deployment.
    """
    result = copy.deepcopy(network)
    if isinstance(result, SwiftNet):
        _fold_decoder(result)
    return result


@torch.no_grad()
def _fold_decoder(network: SwiftNet) -> None:
    """Fold the BatchNorm of every blend, and that of the head, in place."""
    readers: list[nn.Module] = [*network.blends, network.head]
    # The sums from the coarsest: the first blend reads P128 (upsampled) + P64, the next its output + P32 …;
    # the head reads what the last blend returns.
    coarsest = len(STRIDES) - 1
    for position, reader in enumerate(readers):
        summands = _projections_to(network, coarsest - position - 1)
        if position == 0:
            summands += _projections_to(network, coarsest)
        else:
            summands.append(_convolution(readers[position - 1]))
        assert isinstance(reader, nn.Sequential)
        norm = reader[0]
        assert isinstance(norm, nn.BatchNorm2d)
        _fold(norm, summands)
        reader[0] = nn.Identity()


def _projections_to(network: SwiftNet, index: int) -> list[nn.Conv2d]:
    """Return the convolutions whose outputs are summed into a map, by its index in :data:`STRIDES`.

    Below 0 there is no map: the head reads the last blend alone.
    """
    found = []
    for level, projections in enumerate(network.projections):
        assert isinstance(projections, nn.ModuleList)
        if 0 <= index - level < len(projections):
            found.append(_convolution(projections[index - level]))
    return found


def _convolution(block: nn.Module) -> nn.Conv2d:
    """Return the convolution at the end of a BatchNorm → ReLU → convolution."""
    assert isinstance(block, nn.Sequential)
    assert isinstance(block[-1], nn.Conv2d)
    return block[-1]


def _fold(norm: nn.BatchNorm2d, summands: Iterable[nn.Conv2d]) -> None:
    """Bring a BatchNorm's factor into all summands of what it reads, and its shift into the first."""
    mean, variance = norm.running_mean, norm.running_var
    assert mean is not None
    assert variance is not None
    factor: Tensor = norm.weight / torch.sqrt(variance + norm.eps)
    shift = norm.bias - mean * factor
    for number, convolution in enumerate(summands):
        assert convolution.bias is not None
        convolution.weight.mul_(factor.view(-1, 1, 1, 1))
        convolution.bias.mul_(factor)
        if number == 0:
            convolution.bias.add_(shift)
