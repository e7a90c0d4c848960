"""Which layers of a network stay in single precision in a file, because half precision cannot hold them.

Half precision ends at 65504 and loses digits below 6e-5. A layer whose weights, input or output leave this
range is at fault where others are merely rounded. Such layers are found by measurement, on the images on
which the file did not follow the network:

1. Every layer is run in half precision on the input it has in single precision. At fault is a layer that
   errs by more than :data:`AT_FAULT` in one of its channels; rounding alone makes about 5e-4.
2. The whole network is run in half precision except for the 1, 2, 4 … worst of them, until its classes agree
   with those of single precision; between the last two numbers the smallest is found by halving.

Half precision is emulated in single precision, by rounding weights, inputs and outputs of every layer: that
is what ONNX Runtime computes, and fast on a CPU.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from distill.models.deployed import DeployedModel
from distill.models.folding import folded

AT_FAULT = 2.0**-5
"""Relative error of a layer's worst channel above which half precision cannot hold it."""


def weighted_layers(network: nn.Module) -> dict[str, nn.Module]:
    """Return the layers that have weights of their own and no layers inside them, by name."""
    layers = {}
    for name, module in network.named_modules():
        if list(module.parameters(recurse=False)) and not list(module.children()):
            layers[name] = module
    return layers


def to_half(network: nn.Module, single: Sequence[str] = ()) -> None:
    """Bring a network to half precision, in place, except for the layers named.

    Those return single precision, which goes on through operations without weights to the next layer, so
    that a value too large for half precision can come down again before it is rounded.
    """
    layers = weighted_layers(network)
    weights = {name: copy.deepcopy(layers[name].state_dict()) for name in single}
    network.half()
    for name in single:
        layers[name].float().load_state_dict(weights[name])
    if not single:
        return
    for layer in layers.values():
        layer.register_forward_pre_hook(_cast_to_own_precision)


def _cast_to_own_precision(layer: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Bring the input of a layer to the precision of its weights."""
    dtype = next(layer.parameters()).dtype
    return tuple(value.to(dtype) if isinstance(value, Tensor) else value for value in inputs)


@torch.no_grad()
def layers_in_single(model: DeployedModel, images: Sequence[Tensor], least: float) -> tuple[str, ...]:
    """Return the fewest layers of the folded network that must stay in single precision.

    :param model: in single precision, evaluation mode.
    :param images: each uint8 RGB [H, W, 3].
    :param least: share of an image's pixels that must get the same class.
    :return: names of the layers; none if half precision is not at fault, or leaving out all the layers at
        fault does not suffice.
    """
    model = _with_network(model, folded(model.network).eval())
    images = [image.to(model.mean.device) for image in images]
    wanted = [model(image)[0] for image in images]
    candidates = _at_fault(model, images)
    if not candidates or _agreement(model, candidates, images, wanted) < least:
        return ()
    # The smallest number that suffices lies in too_few + 1 … enough.
    too_few, enough = 0, 1
    while enough < len(candidates) and _agreement(model, candidates[:enough], images, wanted) < least:
        too_few, enough = enough, min(2 * enough, len(candidates))
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        if _agreement(model, candidates[:middle], images, wanted) < least:
            too_few = middle
        else:
            enough = middle
    return tuple(candidates[:enough])


def _with_network(model: DeployedModel, network: nn.Module) -> DeployedModel:
    """Return a model with another network and the same processing around it."""
    mean, std = model.mean.flatten().tolist(), model.std.flatten().tolist()
    result = DeployedModel(network, mean, std, model.working_scale, model.calibration)
    return result.to(model.mean.device).eval()


def _agreement(
    model: DeployedModel, kept: Sequence[str], images: Sequence[Tensor], wanted: Sequence[Tensor]
) -> float:
    """Return the smallest share of an image's pixels that half precision gives the class wanted.

    :param kept: names of the layers that stay in single precision.
    """
    rounded = _with_network(model, _emulated(model.network, kept))
    shares = []
    for image, expected in zip(images, wanted, strict=True):
        shares.append(float((rounded(image)[0] == expected).float().mean()))
    return min(shares)


def _at_fault(model: DeployedModel, images: Iterable[Tensor]) -> list[str]:
    """Return the names of the layers that half precision cannot hold, the worst first."""
    errors: dict[str, float] = {}
    handles = []
    for name, layer in weighted_layers(model.network).items():
        rounded = _with_rounded_weights(copy.deepcopy(layer))
        handles.append(layer.register_forward_hook(_Comparison(name, rounded, errors)))
    try:
        for image in images:
            model(image)
    finally:
        for handle in handles:
            handle.remove()
    found = [name for name, error in errors.items() if error > AT_FAULT]
    return sorted(found, key=errors.__getitem__, reverse=True)


class _Comparison:
    """Forward hook that runs a layer in half precision on the same input and notes its largest error."""

    def __init__(self, name: str, rounded: nn.Module, errors: dict[str, float]) -> None:
        self._name, self._rounded, self._errors = name, rounded, errors

    def __call__(self, _layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if not isinstance(output, Tensor) or not isinstance(inputs[0], Tensor):
            return
        found = _round(self._rounded(_round(inputs[0]), *inputs[1:]))
        # Per channel, [B, C, …], so that a channel of small numbers counts as much as one of large ones.
        channels = (0, *range(2, output.ndim))
        distance = (found - output).square().sum(channels).sqrt()
        size = output.square().sum(channels).sqrt()
        error = torch.where(distance == 0, 0.0, distance / size)
        worst = float(torch.nan_to_num(error, nan=torch.inf, posinf=torch.inf).max())
        self._errors[self._name] = max(worst, self._errors.get(self._name, 0.0))


def _emulated(network: nn.Module, kept: Sequence[str]) -> nn.Module:
    """Copy a network, with all layers but those kept rounding as half precision does."""
    result = copy.deepcopy(network)
    for name, layer in weighted_layers(result).items():
        if name not in kept:
            _with_rounded_weights(layer)
            layer.register_forward_pre_hook(_round_inputs)
            layer.register_forward_hook(_round_output)
    return result


def _with_rounded_weights(layer: nn.Module) -> nn.Module:
    for tensor in (*layer.parameters(), *layer.buffers()):
        if tensor.is_floating_point():
            tensor.data = _round(tensor.data)
    return layer


def _round_inputs(_layer: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(_round(value) if isinstance(value, Tensor) else value for value in inputs)


def _round_output(_layer: nn.Module, _inputs: tuple[Any, ...], output: Any) -> Any:
    return _round(output) if isinstance(output, Tensor) else output


def _round(values: Tensor) -> Tensor:
    return values.half().float()
