"""Model files of every kind around a network of one convolution: quickly made, and quickly run anywhere.

They are what the engine's ways to run a file are compared on.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from distill.export.interpolation import Padding, Upsampling, upsampling
from distill.export.surround import surround, surround_dynamic
from distill.models.logit_calibration import LogitCalibration
from kd_seg_ros.inference.card import ModelCard
from kd_seg_ros.inference.contract import METADATA_KEY, OPSET

MEAN: Final = (0.4, 0.45, 0.5)
"""Of red, green and blue, 0…1, as is :data:`STD`."""
STD: Final = (0.2, 0.25, 0.3)


@dataclass(frozen=True)
class Kind:
    """What kind of file it is."""

    size: tuple[int, int] = (40, 52)
    """Height and width of the camera's image."""
    classes: int = 5
    stride: int = 4
    """The logits are so many times smaller than what the network sees."""
    scale: float = 1.0
    """The network sees the image resized by this factor."""
    multiple: int = 1
    """The resized image is padded to multiples of this."""
    half: bool = True
    """The network is in half precision."""
    calibration: LogitCalibration | None = None
    dynamic: bool = False
    """The file takes images of any size."""
    batch: bool = False
    """The network takes any number of images per run."""


def model_file(kind: Kind) -> bytes:
    """Return the content of a model file with its card."""
    working = round(kind.size[0] * kind.scale), round(kind.size[1] * kind.scale)
    padding = Padding.to_multiples(working, kind.multiple)
    low = -(-padding.padded[0] // kind.stride), -(-padding.padded[1] // kind.stride)
    if kind.dynamic:
        proto = surround_dynamic(
            network(kind, ("h", "w"), ("h'", "w'")), MEAN, STD, kind.scale, kind.multiple, kind.calibration
        )
    else:
        axes = zip(low, padding.padded, padding.before, working, kind.size, strict=True)
        matrices = [upsampling(*axis) for axis in axes]
        proto = surround(
            network(kind, padding.padded, low), MEAN, STD, padding, Upsampling(*matrices), kind.calibration
        )
    helper.set_model_props(proto, {METADATA_KEY: card(kind).to_json()})
    return bytes(proto.SerializeToString())


def write_model(path: Path, kind: Kind) -> Path:
    """Write a model file; return its path."""
    path.write_bytes(model_file(kind))
    return path


def network(
    kind: Kind, size: tuple[int | str, int | str], low: tuple[int | str, int | str]
) -> onnx.ModelProto:
    """Return one convolution of 5×5 pixels: float [1, 3, h, w] → logits [1, C, h / stride, w / stride]."""
    dtype = np.float16 if kind.half else np.float32
    element = TensorProto.FLOAT16 if kind.half else TensorProto.FLOAT
    weights = np.random.default_rng(1).normal(0, 0.7, (kind.classes, 3, 5, 5)).astype(dtype)
    convolution = helper.make_node(
        "Conv", ["pixels", "weights"], ["logits"], strides=[kind.stride] * 2, pads=[2, 2, 2, 2]
    )
    images = "n" if kind.batch else 1
    graph = helper.make_graph(
        [convolution],
        "network",
        [helper.make_tensor_value_info("pixels", element, [images, 3, *size])],
        [helper.make_tensor_value_info("logits", element, [images, kind.classes, *low])],
        [numpy_helper.from_array(weights, "weights")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)


def card(kind: Kind) -> ModelCard:
    """Return the file's model card."""
    names = tuple(f"class {number}" for number in range(kind.classes))
    calibration = kind.calibration
    return ModelCard(
        name="convolution",
        class_names=names,
        palette=tuple((number % 256, 0, 0) for number in range(kind.classes)),
        ignore_id=255,
        height=kind.size[0],
        width=kind.size[1],
        working_scale=kind.scale,
        mean=MEAN,
        std=STD,
        temperature=calibration.temperature if calibration else 1.0,
        parameters=0,
        dataset="",
        package_version="",
        created="",
        config={},
        config_hash="",
        calibration={"method": calibration.method, "parameters": calibration.parameters()}
        if calibration
        else {},
        padding_multiple=kind.multiple,
    )
