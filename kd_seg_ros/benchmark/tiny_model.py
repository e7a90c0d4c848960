"""A model file with next to no work: what is left of a frame's time is the node's own.

The first third of the image's bytes, halved four times, is the mask, the second third the confidence: no
picture of anything, but no work either (picking a channel costs 20 ms at 1080p). Its card knows what
calibration saw, so that the drift watch has work.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kd_seg_ros.common.classes import CLASS_NAMES, IGNORE_ID, PALETTE
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.inference.card import RELIABILITY, ModelCard
from kd_seg_ros.inference.contract import CONFIDENCE, IMAGE, MASK, METADATA_KEY, OPSET, OUTPUTS, PROBABILITY
from kd_seg_ros.inference.digest import seal, to_be_sealed


def write_tiny_model(path: Path, size: tuple[int, int]) -> Path:
    """Write the file for images of (height, width); return its path.

    :raises UserError: if the package ``onnx`` is not installed.
    """
    try:
        from onnx import TensorProto, helper, numpy_helper
    except ImportError as error:
        raise UserError(
            "this model is made with the package onnx: pip install onnx, or give --model"
        ) from error
    height, width = size
    image = [helper.make_tensor_value_info(IMAGE, TensorProto.UINT8, [height, width, 3])]
    maps = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), [height, width])
        for name, dtype in OUTPUTS.items()
    ]
    constants = {
        "planes": np.array([3, height, width]),
        "first": np.array(0),
        "second": np.array(1),
        "four": np.array(4, np.uint8),
        "full": np.array(255, np.float32),
    }
    nodes = [
        helper.make_node("Reshape", [IMAGE, "planes"], ["thirds"]),
        helper.make_node("Gather", ["thirds", "first"], ["bytes"], axis=0),
        helper.make_node("BitShift", ["bytes", "four"], [MASK], direction="RIGHT"),
        helper.make_node("Gather", ["thirds", "second"], [CONFIDENCE], axis=0),
        helper.make_node("Cast", [CONFIDENCE], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["numbers", "full"], [PROBABILITY]),
    ]
    initializers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "tiny", image, maps, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
    helper.set_model_props(model, {METADATA_KEY: to_be_sealed(_card(size)).to_json()})
    path.write_bytes(seal(model.SerializeToString()))
    return path


def _card(size: tuple[int, int]) -> ModelCard:
    bins = [(2 * b + 1) / 20 for b in range(10)]
    columns = (bins, bins, [0.1] * 10)
    return ModelCard(
        name="tiny",
        class_names=CLASS_NAMES,
        palette=PALETTE,
        ignore_id=IGNORE_ID,
        height=size[0],
        width=size[1],
        working_scale=1.0,
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        temperature=1.0,
        parameters=0,
        dataset="none: no network",
        package_version="",
        created="",
        config={},
        config_hash="",
        reliability={"full": dict(zip(RELIABILITY, map(list, columns), strict=True))},
        expected_accuracy={"full": [0.0, 1.0]},
    )
