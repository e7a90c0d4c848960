"""Small model files that ask for any amount of memory; part of :mod:`kd_seg_ros.faults.models`.

Each adds nodes to the network with the known answer. How much they take shows only when they run, or when
ONNX Runtime computes what is constant.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import numpy as np

from kd_seg_ros.faults.images import Outcome
from kd_seg_ros.faults.model_cards import HEIGHT, WIDTH, Made, Maker, base_card
from kd_seg_ros.faults.onnx_writer import (
    BOOL,
    FLOAT,
    GRAPH,
    INT64,
    NODE,
    STRING,
    field,
    graph_attribute,
    model_bytes,
    node,
    number_attribute,
    numbers_attribute,
    small_graph,
    tensor,
    text_attribute,
    value_info,
)
from kd_seg_ros.inference.contract import IMAGE
from kd_seg_ros.inference.digest import seal, to_be_sealed

MEMORY_MB: Final = 64
"""Limit with which an engine must refuse these files: each of them takes more."""
_DOUBLINGS: Final = 40


def _elements(rng: np.random.Generator) -> int:
    """Return a number of elements, 2^28 to 2^44: some machines would have the memory, none has all."""
    return int(2.0 ** rng.uniform(28, 44))


def _numbers(name: str, values: list[int]) -> bytes:
    """Return a constant of whole numbers."""
    return tensor(name, [len(values)], INT64, np.array(values, np.int64).tobytes())


def _number(name: str, value: int) -> bytes:
    """Return a constant that is one whole number."""
    return tensor(name, [], INT64, np.int64(value).tobytes())


def _constant(rng: np.random.Generator) -> bytes:
    return _numbers("sides", [_elements(rng)]) + node("ConstantOfShape", ["sides"], "big")


def _range(rng: np.random.Generator) -> bytes:
    ends = _number("start", 0) + _number("end", _elements(rng)) + _number("step", 1)
    return ends + node("Range", ["start", "end", "step"], "big")


def _expand(rng: np.random.Generator) -> bytes:
    return _numbers("sides", [_elements(rng)]) + node("Expand", ["full", "sides"], "big")


def _expand_image(rng: np.random.Generator) -> bytes:
    sides = _numbers("sides", [_elements(rng) // 1000, HEIGHT, WIDTH, 3])
    return sides + node("Expand", [IMAGE, "sides"], "big")


def _expand_by_image(rng: np.random.Generator) -> bytes:
    """Let the image's content say how large a tensor is: no check of the file alone can know it."""
    return b"".join(
        (
            _numbers("all", [0, 1, 2]),
            node("Cast", [IMAGE], "values", number_attribute("to", INT64)),
            node("ReduceSum", ["values", "all"], "sum", number_attribute("keepdims", 0)),
            _number("factor", _elements(rng) // 2**14),
            node("Mul", ["sum", "factor"], "count"),
            _numbers("first axis", [0]),
            node("Unsqueeze", ["count", "first axis"], "sides"),
            node("ConstantOfShape", ["sides"], "big"),
        )
    )


def _tile(rng: np.random.Generator) -> bytes:
    return _numbers("times", [_elements(rng) // 1000, 1, 1]) + node("Tile", [IMAGE, "times"], "big")


def _pad(rng: np.random.Generator) -> bytes:
    return _numbers("pads", [0, 0, 0, _elements(rng) // 50, 0, 0]) + node("Pad", [IMAGE, "pads"], "big")


def _resize(rng: np.random.Generator) -> bytes:
    side = int(_elements(rng) ** 0.5)
    sides = _numbers("sides", [side, side, 3])
    return sides + node("Resize", [IMAGE, "", "", "sides"], "big", text_attribute("mode", "nearest"))


def _one_hot(rng: np.random.Generator) -> bytes:
    parts = (
        _number("depth", _elements(rng) // 1000),
        tensor("values", [2], FLOAT, np.array([0, 1], np.float32).tobytes()),
        node("Cast", [IMAGE], "indices", number_attribute("to", INT64)),
        node("OneHot", ["indices", "depth", "values"], "big"),
    )
    return b"".join(parts)


def _random(rng: np.random.Generator) -> bytes:
    return node("RandomUniform", [], "big", numbers_attribute("shape", [_elements(rng), 1]))


def _window(rng: np.random.Generator) -> bytes:
    return _number("length", _elements(rng)) + node("HannWindow", ["length"], "big")


def _outer_product(rng: np.random.Generator) -> bytes:
    """Multiply a column by a row: each of them is small."""
    side = int(_elements(rng) ** 0.5)
    parts = (
        _numbers("column sides", [side, 1]),
        _numbers("row sides", [1, side]),
        node("ConstantOfShape", ["column sides"], "column"),
        node("ConstantOfShape", ["row sides"], "row"),
        node("MatMul", ["column", "row"], "big"),
    )
    return b"".join(parts)


def _doublings(_: np.random.Generator) -> bytes:
    """Join a tensor to itself, again and again."""
    nodes = [_numbers("sides", [1024]), node("ConstantOfShape", ["sides"], "x0")]
    for turn in range(_DOUBLINGS):
        nodes.append(node("Concat", [f"x{turn}"] * 2, f"x{turn + 1}", number_attribute("axis", 0)))
    return b"".join(nodes)


def _many(_: np.random.Generator) -> bytes:
    """Make a thousand tensors of 40 MB that are all needed at the end."""
    names = [f"part {number}" for number in range(1000)]
    sides = _numbers("sides", [10_000_000])
    parts = b"".join(node("ConstantOfShape", ["sides"], name) for name in names)
    return sides + parts + node("Concat", names, "big", number_attribute("axis", 0))


def _loop(_: np.random.Generator) -> bytes:
    """Join a tensor to itself in each turn of a loop."""
    return _long_loop(node("Concat", ["x", "x"], "y", number_attribute("axis", 0)))


def _collecting_loop(_: np.random.Generator) -> bytes:
    """Keep a tensor of each turn of a loop."""
    return _long_loop(node("Neg", ["x"], "y") + node("Abs", ["x"], "kept"), "kept")


def _long_loop(work: bytes, *kept: str) -> bytes:
    """Return a loop of 2^40 turns, each of which makes ``y`` of ``x``.

    :param kept: names of tensors that are kept of each turn.
    """
    body = [
        work,
        node("Identity", ["goes on"], "goes on still"),
        field(2, "body"),
        value_info(11, "turn", INT64, []),
        value_info(11, "goes on", BOOL, []),
        value_info(11, "x", FLOAT, None),
        value_info(12, "goes on still", BOOL, []),
        value_info(12, "y", FLOAT, None),
    ]
    body += [value_info(12, name, FLOAT, None) for name in kept]
    loop = b"".join(field(1, name) for name in ("turns", "", "x0"))
    loop += b"".join(field(2, f"{name} of all turns") for name in ("y", *kept))
    loop += field(4, "Loop") + field(5, graph_attribute("body", b"".join(body)))
    start = _numbers("sides", [100_000]) + node("ConstantOfShape", ["sides"], "x0")
    return start + _number("turns", 2**40) + field(NODE, loop)


def _texts(_: np.random.Generator) -> bytes:
    """Make texts of so many bytes that the bytes alone would be within the limit."""
    sides = _numbers("sides", [MEMORY_MB * 900_000])
    expanded = node("Expand", ["four", "sides"], "many bytes")
    return sides + expanded + node("Cast", ["many bytes"], "big", number_attribute("to", STRING))


def _sequence(rng: np.random.Generator) -> bytes:
    count = _elements(rng) // 1000
    parts = (
        _numbers("sides", [count, 1000]),
        node("Expand", ["full", "sides"], "whole"),
        node("SplitToSequence", ["whole"], "big", number_attribute("axis", 0)),
    )
    return b"".join(parts)


def _transposed_convolution(rng: np.random.Generator) -> bytes:
    stride = max(int(_elements(rng) ** 0.5) // 8, 1)
    parts = (
        _numbers("sides", [1, 1, 8, 8]),
        node("ConstantOfShape", ["sides"], "picture"),
        _numbers("kernel sides", [1, 1, 1, 1]),
        node("ConstantOfShape", ["kernel sides"], "kernel"),
        node("ConvTranspose", ["picture", "kernel"], "big", numbers_attribute("strides", [stride, stride])),
    )
    return b"".join(parts)


def _regions(rng: np.random.Generator) -> bytes:
    side = min(int(_elements(rng) ** 0.5), 2**31 - 1)
    parts = (
        _numbers("sides", [1, 1, 8, 8]),
        node("ConstantOfShape", ["sides"], "picture"),
        tensor("box", [1, 4], FLOAT, np.array([0, 0, 1, 1], np.float32).tobytes()),
        _numbers("place", [0]),
        node(
            "RoiAlign",
            ["picture", "box", "place"],
            "big",
            number_attribute("output_height", side),
            number_attribute("output_width", side),
            number_attribute("sampling_ratio", 1),
        ),
    )
    return b"".join(parts)


def _file(parts: Callable[[np.random.Generator], bytes], rng: np.random.Generator) -> Made:
    """Add parts to the graph of a sealed file; readers of protocol buffers join the two fields for it."""
    content = model_bytes(small_graph(HEIGHT, WIDTH), to_be_sealed(base_card()).to_json())
    return seal(content + field(GRAPH, parts(rng))), Outcome.REFUSED


GREEDY_CASES: Final[dict[str, Maker]] = {
    "greedy: constant": partial(_file, _constant),
    "greedy: range": partial(_file, _range),
    "greedy: number expanded": partial(_file, _expand),
    "greedy: image expanded": partial(_file, _expand_image),
    "greedy: expanded by the image": partial(_file, _expand_by_image),
    "greedy: tiles": partial(_file, _tile),
    "greedy: padding": partial(_file, _pad),
    "greedy: resize": partial(_file, _resize),
    "greedy: one-hot": partial(_file, _one_hot),
    "greedy: random numbers": partial(_file, _random),
    "greedy: window": partial(_file, _window),
    "greedy: outer product": partial(_file, _outer_product),
    "greedy: joined again and again": partial(_file, _doublings),
    "greedy: many": partial(_file, _many),
    "greedy: loop that joins": partial(_file, _loop),
    "greedy: loop that collects": partial(_file, _collecting_loop),
    "greedy: texts": partial(_file, _texts),
    "greedy: sequence": partial(_file, _sequence),
    "greedy: transposed convolution": partial(_file, _transposed_convolution),
    "greedy: regions": partial(_file, _regions),
}
"""Cases by name."""
