"""Writes a small ONNX file field by field, without the package ``onnx``, which a vehicle does not have.

The network has a known answer: the class of a pixel is its red value // 16, its confidence its green value.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.inference.contract import CONFIDENCE, IMAGE, MASK, METADATA_KEY, OPSET, PROBABILITY

FLOAT: Final = 1
UINT8: Final = 2
INT64: Final = 7
STRING: Final = 8
BOOL: Final = 9
"""ONNX's numbers of the types of tensors."""

# Numbers of the fields, by ONNX's onnx.proto.
GRAPH: Final = 7
NODE: Final = 1
INITIALIZER: Final = 5
_METADATA: Final = 14


def number_bytes(value: int) -> bytes:
    """Return a number in the variable length of protocol buffers, seven bits a byte, the lowest first."""
    value &= 2**64 - 1
    parts = bytearray()
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def field(number: int, content: bytes | str | int) -> bytes:
    """Return a field of a message: a number, or bytes with their length in front."""
    if isinstance(content, int):
        return number_bytes(number << 3) + number_bytes(content)
    data = content.encode() if isinstance(content, str) else content
    return number_bytes(number << 3 | 2) + number_bytes(len(data)) + data


def node(operator: str, inputs: list[str], output: str, *attributes: bytes, domain: str = "") -> bytes:
    """Return a node of a graph, as its field."""
    content = b"".join(field(1, name) for name in inputs) + field(2, output) + field(4, operator)
    content += b"".join(field(5, attribute) for attribute in attributes)
    return field(NODE, content + (field(7, domain) if domain else b""))


def number_attribute(name: str, value: int) -> bytes:
    """Return a node's attribute that is a whole number."""
    return field(1, name) + field(3, value) + field(20, 2)


def numbers_attribute(name: str, values: list[int]) -> bytes:
    """Return a node's attribute that is a list of whole numbers."""
    return field(1, name) + b"".join(field(8, value) for value in values) + field(20, 7)


def graph_attribute(name: str, graph: bytes) -> bytes:
    """Return a node's attribute that is a graph, given by its content."""
    return field(1, name) + field(6, graph) + field(20, 5)


def text_attribute(name: str, value: str) -> bytes:
    """Return a node's attribute that is a text."""
    return field(1, name) + field(4, value) + field(20, 3)


def tensor(name: str, dims: list[int], kind: int, raw: bytes) -> bytes:
    """Return a tensor with its bytes, as the graph's field."""
    sides = b"".join(field(1, side) for side in dims)
    return field(INITIALIZER, sides + field(2, kind) + field(8, name) + field(9, raw))


def value_info(place: int, name: str, kind: int, dims: list[int] | None) -> bytes:
    """Return the description of an input (``place`` 11) or output (12) of a graph, as its field.

    :param dims: None: of any number and size.
    """
    shape = b"" if dims is None else field(2, b"".join(field(1, field(1, side)) for side in dims))
    return field(place, field(1, name) + field(2, field(1, field(1, kind) + shape)))


def small_graph(height: int, width: int) -> bytes:
    """Return the graph of the network with the known answer, for images of one size, without its field."""
    channel = number_attribute("axis", 2)
    return b"".join(
        (
            node("Gather", [IMAGE, "first"], "red", channel),
            node("BitShift", ["red", "four"], MASK, text_attribute("direction", "RIGHT")),
            node("Gather", [IMAGE, "second"], CONFIDENCE, channel),
            node("Cast", [CONFIDENCE], "numbers", number_attribute("to", FLOAT)),
            node("Div", ["numbers", "full"], PROBABILITY),
            field(2, "small"),
            tensor("first", [], INT64, np.int64(0).tobytes()),
            tensor("second", [], INT64, np.int64(1).tobytes()),
            tensor("four", [], UINT8, np.uint8(4).tobytes()),
            tensor("full", [], FLOAT, np.float32(255).tobytes()),
            value_info(11, IMAGE, UINT8, [height, width, 3]),
            value_info(12, MASK, UINT8, [height, width]),
            value_info(12, CONFIDENCE, UINT8, [height, width]),
            value_info(12, PROBABILITY, FLOAT, [height, width]),
        )
    )


def model_bytes(graph: bytes, *cards: str, ir_version: int = 9, opset: int = OPSET) -> bytes:
    """Return a model file.

    :param graph: content of the graph.
    :param cards: texts of the metadata's entry for the model card; none: a file without a card.
    """
    content = field(1, ir_version) + field(GRAPH, graph) + field(8, field(2, opset))
    return content + b"".join(field(_METADATA, field(1, METADATA_KEY) + field(2, card)) for card in cards)


def known_answer(image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the mask and the confidence that the network gives for an RGB image."""
    return image[..., 0] // 16, image[..., 1].copy()
