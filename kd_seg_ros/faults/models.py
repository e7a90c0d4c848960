"""Malformed model files from a seed: a named case per kind of fault, and what an engine must make of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np

from kd_seg_ros.faults.greedy_models import GREEDY_CASES
from kd_seg_ros.faults.images import Outcome
from kd_seg_ros.faults.model_cards import CARD_CASES, HEIGHT, WIDTH, Made, Maker, base_card, small_model
from kd_seg_ros.faults.onnx_writer import (
    FLOAT,
    GRAPH,
    INITIALIZER,
    INT64,
    field,
    model_bytes,
    node,
    small_graph,
    tensor,
    text_attribute,
)
from kd_seg_ros.inference.contract import CONFIDENCE, IMAGE, MASK, PROBABILITY
from kd_seg_ros.inference.digest import seal, to_be_sealed


@dataclass(frozen=True)
class FaultyModel:
    """A model file and what an engine must make of it: ``SAME``, it runs with the known answer."""

    content: bytes
    outcome: Outcome


def faulty_model(case: str, seed: int) -> FaultyModel:
    """Make the file of a case.

    :param case: a key of :data:`CASES`.
    :param seed: of the places of damage and of the values in cards.
    """
    return FaultyModel(*CASES[case](np.random.default_rng(seed)))


def _whole(_: np.random.Generator) -> Made:
    return small_model(), Outcome.SAME


def _damaged(
    damage: Callable[[bytearray, np.random.Generator], object], sealed: bool = True
) -> Callable[[np.random.Generator], Made]:
    """Return what damages a whole file; without a digest nothing may notice it."""

    def make(rng: np.random.Generator) -> Made:
        whole = small_model() if sealed else model_bytes(small_graph(HEIGHT, WIDTH), base_card().to_json())
        content = bytearray(whole)
        damage(content, rng)
        if content == whole:
            return whole, Outcome.SAME
        return bytes(content), Outcome.REFUSED if sealed else Outcome.EITHER

    return make


def _flip(content: bytearray, rng: np.random.Generator, bits: int = 1) -> None:
    for place in rng.integers(len(content), size=bits):
        content[place] ^= 1 << int(rng.integers(8))


def _cut(content: bytearray, rng: np.random.Generator) -> None:
    del content[int(rng.integers(len(content))) :]


def _remove(content: bytearray, rng: np.random.Generator) -> None:
    place = int(rng.integers(len(content)))
    del content[place : place + int(rng.integers(1, 100))]


def _insert(content: bytearray, rng: np.random.Generator) -> None:
    place = int(rng.integers(len(content)))
    content[place:place] = rng.bytes(int(rng.integers(1, 100)))


def _zeros(content: bytearray, rng: np.random.Generator) -> None:
    place = int(rng.integers(len(content)))
    part = content[place : place + int(rng.integers(1, 200))]
    content[place : place + len(part)] = bytes(len(part))


def _append(content: bytearray, rng: np.random.Generator) -> None:
    content += rng.bytes(int(rng.integers(1, 100)))


def _twice(content: bytearray, _: np.random.Generator) -> None:
    content += bytes(content)


def _not_utf8(content: bytearray, _: np.random.Generator) -> None:
    """Change a byte of the card, which is the last in the file."""
    content[-3] = 0xFF


def _random_bytes(rng: np.random.Generator) -> Made:
    start = [b"", b"\x08\x09\x3a", b"PK\x03\x04", b"ONNX"][int(rng.integers(4))]
    return start + rng.bytes(int(rng.integers(0, 5000))), Outcome.REFUSED


def _with_graph(*parts: bytes) -> Maker:
    """Return what adds parts to the graph of a sealed file.

    They stand in a second field for the graph: readers of protocol buffers join the two.
    """

    def make(_: np.random.Generator) -> Made:
        content = model_bytes(small_graph(HEIGHT, WIDTH), to_be_sealed(base_card()).to_json())
        return seal(content + field(GRAPH, b"".join(parts))), Outcome.REFUSED

    return make


def _external(location: str) -> bytes:
    entry = field(1, "location") + field(2, location)
    content = field(1, 1) + field(2, FLOAT) + field(8, "w") + field(13, entry) + field(14, 1)
    return field(INITIALIZER, content)


def _other_graph(old: bytes, new: bytes) -> Maker:
    """Return what makes a sealed file of a graph in which some bytes are others."""

    def make(_: np.random.Generator) -> Made:
        graph = small_graph(HEIGHT, WIDTH).replace(old, new)
        return seal(model_bytes(graph, to_be_sealed(base_card()).to_json())), Outcome.REFUSED

    return make


def _other_version(_: np.random.Generator, **versions: int) -> Made:
    graph = small_graph(HEIGHT, WIDTH)
    return seal(model_bytes(graph, to_be_sealed(base_card()).to_json(), **versions)), Outcome.REFUSED


def _two_cards(_: np.random.Generator) -> Made:
    text = base_card().to_json()
    return model_bytes(small_graph(HEIGHT, WIDTH), text, text), Outcome.REFUSED


def _no_card(_: np.random.Generator) -> Made:
    return model_bytes(small_graph(HEIGHT, WIDTH)), Outcome.REFUSED


def _big_constant() -> tuple[bytes, ...]:
    """Return nodes that make a tensor of 2^40 numbers."""
    sides = tensor("sides", [2], INT64, np.array([2**20, 2**20]).tobytes())
    return sides, node("ConstantOfShape", ["sides"], "big")


CASES: Final[dict[str, Maker]] = {
    "whole": _whole,
    "one bit flipped": _damaged(_flip),
    "four bits flipped": _damaged(partial(_flip, bits=4)),
    "cut": _damaged(_cut),
    "bytes removed": _damaged(_remove),
    "bytes inserted": _damaged(_insert),
    "zeros": _damaged(_zeros),
    "bytes appended": _damaged(_append),
    "twice in a row": _damaged(_twice),
    "without a digest: one bit flipped": _damaged(_flip, sealed=False),
    "without a digest: cut": _damaged(_cut, sealed=False),
    "without a digest: bytes removed": _damaged(_remove, sealed=False),
    "without a digest: zeros": _damaged(_zeros, sealed=False),
    "empty": lambda _: (b"", Outcome.REFUSED),
    "random bytes": _random_bytes,
    "no card": _no_card,
    "two cards": _two_cards,
    "card: not UTF-8": _damaged(_not_utf8),
    **CARD_CASES,
    "tensor in the folder above": _with_graph(_external("../secret")),
    "tensor at an absolute path": _with_graph(_external("/etc/passwd")),
    "tensor at an address in memory": _with_graph(_external("*/_ORT_MEM_ADDR_/*")),
    "tensor that claims 4 terabytes": _with_graph(tensor("w", [2**40], FLOAT, b"")),
    "tensor of a negative side": _with_graph(tensor("w", [-1], FLOAT, bytes(4))),
    "tensor with too many bytes": _with_graph(tensor("w", [1], FLOAT, bytes(400))),
    "network compiled for a device": _with_graph(
        node("EPContext", [], "c", text_attribute("ep_cache_context", "../x"), domain="com.microsoft")
    ),
    "node of an unknown kind": _with_graph(node("Nonsense", [IMAGE], "c")),
    "node of an unknown domain": _with_graph(node("Add", [IMAGE, IMAGE], "c", domain="a.b")),
    "node with an input that is missing": _with_graph(node("Add", [IMAGE, "nowhere"], "c")),
    "node that feeds itself": _with_graph(node("Add", [IMAGE, "c"], "c")),
    "constant of 4 terabytes": _with_graph(*_big_constant()),
    "image of another name": _other_graph(IMAGE.encode(), b"photo"),
    "image of floats": _other_graph(b"\x08\x02\x12\x0c", b"\x08\x01\x12\x0c"),
    "no mask": _other_graph(MASK.encode(), b"musk"),
    "no confidence": _other_graph(CONFIDENCE.encode(), b"confidance"),
    "no probability": _other_graph(PROBABILITY.encode(), b"likelihoods"),
    **GREEDY_CASES,
    "format of the future": partial(_other_version, ir_version=999),
    "operators of the future": partial(_other_version, opset=999),
}
"""Cases by name."""
