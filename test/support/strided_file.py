"""A model file of one strided convolution with random weights, of fixed or open size, made in no time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import tiny_model
from onnx import TensorProto, helper, numpy_helper

from distill.export.interpolation import Padding
from distill.export.model_card import save_with_card
from distill.export.surround import surround, surround_dynamic
from distill.models.logit_calibration import LogitCalibration
from kd_seg_ros.common.classes import NUM_CLASSES

STRIDE = 4
SIZE = (43, 62)
MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)


def write_strided_file(
    path: Path,
    *,
    dynamic: bool = False,
    scale: float = 1.0,
    half: bool = False,
    calibration: LogitCalibration | None = None,
    **card: Any,
) -> Path:
    """Write the file for images of :data:`SIZE`, or of any size.

    :param half: the network is in half precision.
    """
    working = (round(SIZE[0] * scale), round(SIZE[1] * scale))
    padding = Padding.to_multiples(working, 2 * STRIDE)
    sides: list[Any] = ["h", "w"] if dynamic else list(padding.padded)
    low = ["a", "b"] if dynamic else [side // STRIDE for side in padding.padded]
    weights = np.random.default_rng(0).normal(0, 0.8, (NUM_CLASSES, 3, STRIDE, STRIDE))
    kind = TensorProto.FLOAT16 if half else TensorProto.FLOAT
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"], strides=[STRIDE] * 2)],
        "network",
        [info("x", kind, [1, 3, *sides])],
        [info("y", kind, [1, NUM_CLASSES, *low])],
        [numpy_helper.from_array(weights.astype(np.float16 if half else np.float32), "w")],
    )
    network = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    proto: onnx.ModelProto
    if dynamic:
        proto = surround_dynamic(network, MEAN, STD, scale, 2 * STRIDE, calibration)
    else:
        upsampling = padding.upsampling([side // STRIDE for side in padding.padded], SIZE)
        proto = surround(network, MEAN, STD, padding, upsampling, calibration)
    own: dict[str, Any] = {"mean": MEAN, "std": STD, "working_scale": scale, "padding_multiple": 2 * STRIDE}
    save_with_card(proto, tiny_model.card(*SIZE, **(own | card)), path)
    return path
