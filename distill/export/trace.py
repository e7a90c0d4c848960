"""From a PyTorch module to the one ONNX file: network in FP16, pre- and post-processing in FP32, card inside.

Only the network is traced, from the normalised image to its logits as it makes them, at stride 4 or 8; what
is around it is written node by node (:mod:`distill.export.surround`).

SwiftNet's decoder is folded first (:mod:`distill.models.folding`). The BatchNorm nodes of its backbone are
kept: folded into the convolutions they would need a copy of the backbone's weights per pyramid level. ONNX
Runtime folds them in memory when it loads the file.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import onnx
import torch
from torch import Tensor, nn
from torch.export import Dim

from distill.export.half_precision import to_half
from distill.export.interpolation import Padding
from distill.export.same_padding import same_padding_of_multiples
from distill.export.surround import shape_of, surround, surround_dynamic
from distill.export.time_limit import (
    TRACING_SECONDS,
    OutOfTime,
    processor_time_limit,
    processor_time_shown,
)
from distill.models.deployed import DeployedModel
from distill.models.folding import folded
from distill.models.network import SegmentationNetwork
from distill.models.output import upsample
from kd_seg_ros.common.errors import UserError, first_line
from kd_seg_ros.inference.contract import OPSET

NOISY: Final = ("torch.onnx", "onnxscript")
"""Loggers of PyTorch's exporter and of the optimiser that it calls."""


class _Logits(nn.Module):
    """A network without the padding of its image and without the upsampling of its logits.

    What is around the network resizes with half-pixel centres: a network of ``align_corners`` keeps its own
    upsampling to the size of the padded image.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        """Return logits [1, C, h', w'] of a normalised image [1, 3, h, w], padded to multiples."""
        if isinstance(self.network, SegmentationNetwork):
            maps = self.network.maps(image)
            if self.network.align_corners:
                return upsample(maps.logits, image.shape[-2:], align_corners=True)
            return maps.logits
        logits: Tensor = self.network(image).logits
        return logits


_BATCH: Final = {0: Dim("batch", min=1, max=2**10)}
"""The open side of a network that takes any number of images per run."""


def to_onnx(
    model: DeployedModel,
    size: tuple[int, int],
    half: bool = True,
    single: Sequence[str] = (),
    batch: bool = False,
) -> onnx.ModelProto:
    """Make the model of a file for images of ``size`` = (H, W), with its network in half precision.

    :param single: names of the network's layers that stay in single precision,
        see :mod:`distill.export.half_precision`.
    :param batch: the network inside the file takes any number of images per run, for cameras that share it
        (:mod:`kd_seg_ros.inference.batched_run`); the file itself takes one image all the same.
    :raises UserError: if the network cannot be traced for any number of images.
    """
    network = _network(model, half, single)
    working = model.working_size(size)
    padding = Padding.to_multiples(working, padding_multiple(model))
    if batch:
        traced = _trace_batch(network, padding.padded, type(model.network).__name__)
    else:
        traced = _trace(network, padding.padded)
    resizing = padding.upsampling(shape_of(traced.graph.output[0])[2:], size)
    mean, std = model.mean.flatten().tolist(), model.std.flatten().tolist()
    return surround(traced, mean, std, padding, resizing, model.calibration)


def to_dynamic_onnx(
    model: DeployedModel,
    half: bool = True,
    single: Sequence[str] = (),
    limit: float = TRACING_SECONDS,
    batch: bool = False,
) -> onnx.ModelProto:
    """Make the model of a file for images of any size, see :func:`to_onnx`.

    :param limit: seconds of processor time after which tracing is given up: the algebra of the sizes explodes
        in some networks.
    :raises UserError: if the network cannot be traced for any size.
    """
    network = _network(model, half, single)
    multiple = padding_multiple(model)
    height = multiple * Dim("h", min=1, max=2**12)
    width = multiple * Dim("w", min=1, max=2**12)
    number = _BATCH if batch else {}
    name = type(model.network).__name__
    remedy = "export it for the camera's size, without --dynamic"
    example = (2 * multiple, 3 * multiple)
    try:
        shown = processor_time_shown("tracing for images of any size", limit)
        with same_padding_of_multiples(), shown, processor_time_limit(limit):
            traced = _trace(network, example, ({**number, 2: height, 3: width},), images=2 if batch else 1)
    except OutOfTime:
        raise UserError(
            f"tracing {name} for images of any size had not ended after {limit:g} s of processor time: "
            f"{remedy}, or give it more time with --trace-limit"
        ) from None
    except Exception as error:  # whatever stops the tracing
        raise UserError(
            f"{name} cannot be traced for images of any size ({first_line(error)}): {remedy}"
        ) from error
    # Where a network computes with the numbers of the example's size, that size stays in the graph.
    logits = shape_of(traced.graph.output[0])
    if any(logits[2:]) or (batch and logits[0]):
        raise UserError(f"{name} works with sizes that are fixed when it is traced: {remedy}")
    mean, std = model.mean.flatten().tolist(), model.std.flatten().tolist()
    return surround_dynamic(traced, mean, std, model.working_scale, multiple, model.calibration)


def _trace_batch(network: nn.Module, size: tuple[int, int], name: str) -> onnx.ModelProto:
    """Trace a network for any number of images of one size, see :func:`to_onnx`.

    :param name: what the network is called in an error message.
    """
    remedy = "export it without --batch, for one image per run"
    try:
        traced = _trace(network, size, (_BATCH,), images=2)  # one alone would be taken for a fixed number
    except Exception as error:  # whatever stops the tracing
        raise UserError(
            f"{name} cannot be traced for any number of images ({first_line(error)}): {remedy}"
        ) from error
    if shape_of(traced.graph.output[0])[0]:
        raise UserError(f"{name} works with a number of images that is fixed when it is traced: {remedy}")
    return traced


def padding_multiple(model: DeployedModel) -> int:
    """Return of what the sides of the network's padded image are multiples in a file; 1: it is not padded."""
    network = model.network
    return network.padding_multiple if isinstance(network, SegmentationNetwork) else 1


def _network(model: DeployedModel, half: bool, single: Sequence[str]) -> _Logits:
    """Copy the network to the CPU, folded and in half precision if wanted, for tracing."""
    network = folded(model.network).cpu().eval()
    if half:
        to_half(network, single)
    return _Logits(network).eval()


def _trace(
    network: nn.Module, size: tuple[int, int], dynamic: Any = None, images: int = 1
) -> onnx.ModelProto:
    """Trace a module that takes images [N, 3, h, w] and returns one tensor.

    :param dynamic: the sizes that are left open, as PyTorch's exporter wants them.
    :param images: N of the example that it is traced with.
    """
    # Layers that stay in single precision take half precision, too.
    dtypes = {parameter.dtype for parameter in network.parameters()}
    dtype = torch.float16 if torch.float16 in dtypes else torch.float32
    with _quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network,
            (torch.zeros(images, 3, *size, dtype=dtype),),
            opset_version=OPSET,
            input_names=["pixels"],
            output_names=["logits"],
            dynamic_shapes=dynamic,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    proto: onnx.ModelProto = program.model_proto
    _strip(proto)
    return proto


@contextmanager
def _quiet() -> Iterator[None]:
    """Within the block, the exporter logs errors alone: a gate checks the graphs that it warns of."""
    loggers = [logging.getLogger(name) for name in NOISY]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _strip(proto: onnx.ModelProto) -> None:
    """Remove the notes of PyTorch's exporter: source lines and paths of the exporting machine."""
    graph = proto.graph
    for message in (*graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer, graph):
        del message.metadata_props[:]
        message.doc_string = ""
