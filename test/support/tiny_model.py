"""A model file with a known answer: class = red // 14 (at most 18), confidence = green."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from kd_seg_ros.common.classes import CLASS_NAMES, IGNORE_ID, PALETTE
from kd_seg_ros.inference.card import ModelCard
from kd_seg_ros.inference.contract import CHANNELS, CONFIDENCE, IMAGE, MASK, METADATA_KEY, OPSET, PROBABILITY
from kd_seg_ros.inference.digest import seal, to_be_sealed


def card(height: int, width: int, **overrides: Any) -> ModelCard:
    """A valid model card; ``overrides`` replace single fields."""
    values: dict[str, Any] = {
        "name": "tiny",
        "class_names": CLASS_NAMES,
        "palette": PALETTE,
        "ignore_id": IGNORE_ID,
        "height": height,
        "width": width,
        "working_scale": 1.0,
        "mean": (0.0, 0.0, 0.0),
        "std": (1.0, 1.0, 1.0),
        "temperature": 1.0,
        "parameters": 0,
        "dataset": "none",
        "package_version": "0",
        "created": "2025-01-01T00:00:00+00:00",
        "config": {},
        "config_hash": "0",
        "ece_after": {"full": 0.05},
        "miou": {"full": 0.5},
    }
    return ModelCard(**(values | overrides))


def expected(image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return mask and confidence of the model for an RGB image of the model's size."""
    return np.minimum(image[..., 0] // 14, 18), image[..., 1].copy()


def build(
    height: int | str,
    width: int | str,
    card_json: str | None,
    channels: bool = False,
    fragile: bool = False,
) -> onnx.ModelProto:
    """The network, with the card's JSON in its metadata (None: without a card).

    Height and width in letters leave the size open, one of them alone is against the contract.

    :param channels: with the input of that name, which says where red, green and blue are.
    :param fragile: running it fails for an image whose first byte is 255.
    """
    constants = {
        CHANNELS: np.array([0, 1, 2]),
        "red": np.array(0),
        "green": np.array(1),
        "fourteen": np.array(14, np.int32),
        "last": np.array(18, np.int32),
        "full": np.array(255, np.float32),
        **({"first": np.array([0, 0, 0]), "table": np.zeros(255, np.int32)} if fragile else {}),
    }
    nodes = [
        helper.make_node("Gather", [CHANNELS, "red"], ["red_at"]),
        helper.make_node("Gather", [CHANNELS, "green"], ["green_at"]),
        helper.make_node("Gather", [IMAGE, "red_at"], ["r"], axis=2),
        helper.make_node("Cast", ["r"], ["r32"], to=TensorProto.INT32),
        helper.make_node("Div", ["r32", "fourteen"], ["class32"]),
        helper.make_node("Min", ["class32", "last"], ["at_most"] if not fragile else ["any"]),
        *(_failing("any", "at_most") if fragile else []),
        helper.make_node("Cast", ["at_most"], [MASK], to=TensorProto.UINT8),
        helper.make_node("Gather", [IMAGE, "green_at"], [CONFIDENCE], axis=2),
        helper.make_node("Cast", [CONFIDENCE], ["g32"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["g32", "full"], [PROBABILITY]),
    ]
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "tiny",
        [
            info(IMAGE, TensorProto.UINT8, [height, width, 3]),
            *([info(CHANNELS, TensorProto.INT64, [3])] if channels else []),
        ],
        [
            info(MASK, TensorProto.UINT8, [height, width]),
            info(CONFIDENCE, TensorProto.UINT8, [height, width]),
            info(PROBABILITY, TensorProto.FLOAT, [height, width]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
    if card_json is not None:
        helper.set_model_props(model, {METADATA_KEY: card_json})
    onnx.checker.check_model(model)
    return model


def _failing(source: str, target: str) -> list[onnx.NodeProto]:
    """Add an element of a table that ends before 255, the first byte's."""
    return [
        helper.make_node("GatherND", [IMAGE, "first"], ["byte"]),
        helper.make_node("Cast", ["byte"], ["place"], to=TensorProto.INT64),
        helper.make_node("Gather", ["table", "place"], ["zero"]),
        helper.make_node("Add", [source, "zero"], [target]),
    ]


def write_tiny_model(
    path: str | Path,
    height: int,
    width: int,
    *,
    channels: bool = False,
    dynamic: bool = False,
    fragile: bool = False,
    **card_overrides: Any,
) -> Path:
    """Write the model for images of ``height`` × ``width``, or for any size; return its path."""
    sides: tuple[int | str, int | str] = ("height", "width") if dynamic else (height, width)
    text = to_be_sealed(card(height, width, **card_overrides)).to_json()
    Path(path).write_bytes(seal(build(*sides, text, channels, fragile).SerializeToString()))
    return Path(path)
