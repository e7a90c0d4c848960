"""A model file as bytes: read once, checked before ONNX Runtime sees it, and identified by its SHA-256.

ONNX Runtime would follow a file's references to other files ("external data", compiled engines) and take the
memory that its tensors claim to need. Here the outline of the file is read instead (no package ``onnx`` is
needed): a file must hold all that it is made of, and each tensor the bytes that its shape asks for.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from kd_seg_ros.common.errors import first_line
from kd_seg_ros.common.files import reason
from kd_seg_ros.common.protobuf import BYTES, DamagedMessageError, Field, read_fields, read_numbers
from kd_seg_ros.inference.contract import IMAGE
from kd_seg_ros.inference.errors import EngineError

LARGEST_FILE: Final = 2**31 - 1
"""Bytes of the largest model file: protocol buffers, and with them ONNX, have no larger ones."""
LARGEST_TENSOR: Final = 2**31
"""Elements of the largest constant that a node may be told to make or a sparse tensor be spread to."""

_DEEPEST: Final = 50
"""How deep graphs may lie in nodes of graphs; real files have one or two levels."""

_PARTS: Final[dict[str, dict[int, str]]] = {
    "model": {7: "graph", 14: "metadata", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 11: "input", 15: "sparse tensor"},
    "node": {5: "attribute"},
    "attribute": {
        5: "tensor",
        6: "graph",
        10: "tensor",
        11: "graph",
        22: "sparse tensor",
        23: "sparse tensor",
    },
    "sparse tensor": {1: "tensor", 2: "tensor"},
}
"""For each kind of message of ONNX's format, the fields that hold further messages, and of which kind."""

# Numbers of the fields that are read, by ONNX's onnx.proto.
_KEY, _VALUE = 1, 2
_OPERATOR: Final = 4
_DIMS, _TYPE, _NAME, _RAW, _EXTERNAL, _LOCATION = 1, 2, 8, 9, 13, 14
_SPARSE_DIMS: Final = 3
_TYPED: Final = (4, 5, 6, 7, 10, 11)
"""Fields of a tensor that hold its elements one by one, at least one byte each."""

_BITS: Final[dict[int, int]] = {
    **dict.fromkeys((1, 6, 12), 32),  # float, int32, uint32
    **dict.fromkeys((2, 3, 9, 17, 18, 19, 20, 24), 8),  # uint8, int8, bool, float8
    **dict.fromkeys((4, 5, 10, 16), 16),  # uint16, int16, float16, bfloat16
    **dict.fromkeys((7, 11, 13, 14), 64),  # int64, double, uint64, complex64
    15: 128,  # complex128
    **dict.fromkeys((21, 22, 23), 4),  # uint4, int4, float4
}
"""Bits of one element in a tensor's raw data, by ONNX's number of its type."""


@dataclass(frozen=True)
class OnnxFile:
    """A model file in memory."""

    path: Path
    content: bytes = field(repr=False)
    sha256: str
    """SHA-256 of the content, hexadecimal."""
    metadata: dict[str, tuple[int, int]]
    """Key → where in the content its value begins and ends."""
    open_size: bool
    """The input ``image`` takes more than one size."""

    def text(self, key: str) -> str | None:
        """Return a text of the metadata; None if there is none of that key. What is no UTF-8 is replaced."""
        place = self.metadata.get(key)
        return self.content[slice(*place)].decode(errors="replace") if place else None


def read_onnx_file(path: Path) -> OnnxFile:
    """Read a model file and check that it is whole and refers to nothing outside itself.

    :raises EngineError: if it is missing, no ONNX file, or refused; one line that begins with the path.
    """
    if not path.is_file():
        raise EngineError(f"{path}: {'this is not a file' if path.exists() else 'no such model file'}")
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise EngineError(f"{path}: a model file of {size / 1e9:.1f} GB; ONNX files end at 2.1 GB")
        content = path.read_bytes()
    except OSError as error:
        raise EngineError(f"{path}: cannot be read: {reason(error)}") from error
    try:
        outline = _Outline(content)
    except DamagedMessageError as error:
        raise EngineError(
            f"{path}: not a readable ONNX file (damaged, cut short or of another kind): {first_line(error)}"
        ) from error
    except _RefusedError as error:
        raise EngineError(f"{path}: {error}") from error
    digest = hashlib.sha256(content).hexdigest()
    return OnnxFile(path, content, digest, outline.metadata, outline.open_size)


class _RefusedError(Exception):
    """A well-formed file that is not opened, and why."""


class _Outline:
    """Walks through all messages of a file; raises DamagedMessageError or _RefusedError."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.metadata: dict[str, tuple[int, int]] = {}
        self.open_size = False
        self._graphs = 0
        self._walk("model", 0, len(content), 0)
        if self._graphs == 0:
            raise DamagedMessageError("it holds no graph")

    def _walk(self, kind: str, start: int, end: int, depth: int) -> None:
        if depth > _DEEPEST:
            raise _RefusedError(f"its graphs lie more than {_DEEPEST} levels deep in each other")
        parts = _PARTS.get(kind, {})
        for found in read_fields(self._content, start, end):
            part = parts.get(found.number)
            if part is None:
                continue
            if found.kind != BYTES:
                raise DamagedMessageError(f"a {part} is missing at byte {found.start}")
            self._check(part, found)
            self._walk(part, found.start, found.end, depth + 1)

    def _check(self, kind: str, place: Field) -> None:
        if kind == "graph":
            self._graphs += 1
        elif kind == "metadata":
            self._add_metadata(place)
        elif kind == "node":
            self._check_node(place)
        elif kind == "tensor":
            self._check_tensor(place)
        elif kind == "sparse tensor":
            self._check_sparse(place)
        elif kind == "input":
            self._check_input(place)

    def _add_metadata(self, place: Field) -> None:
        entry = self._fields(place)
        key, value = entry.get(_KEY), entry.get(_VALUE)
        if key:
            name = self._text(key)
            if name in self.metadata:
                raise _RefusedError(f"its metadata has two entries {name!r:.60}")
            self.metadata[name] = (value.start, value.end) if value else (0, 0)

    def _check_node(self, place: Field) -> None:
        operator = self._fields(place).get(_OPERATOR)
        if operator and self._text(operator) == "EPContext":
            raise _RefusedError(
                "it holds a network compiled for one device (EPContext), which may lie in another file: "
                "use the ONNX file that it was compiled from"
            )

    def _check_tensor(self, place: Field) -> None:
        """Compare the bytes that a tensor's shape and type ask for with those that are there."""
        dims: list[int] = []
        name, kind, raw, typed = "", 0, -1, 0
        for item in read_fields(self._content, place.start, place.end):
            if item.number == _EXTERNAL or (item.number == _LOCATION and item.value):
                name = name or self._text(self._fields(place).get(_NAME))
                raise _RefusedError(
                    f"its tensor {name!r:.60} lies in another file; a model file must hold all its weights: "
                    "save it again without external data"
                )
            if item.number == _DIMS:
                dims += read_numbers(self._content, item)
            elif item.number == _TYPE:
                kind = item.value
            elif item.number == _NAME:
                name = self._text(item)
            elif item.number == _RAW:
                raw = item.end - item.start
            elif item.number in _TYPED:
                typed += max(item.end - item.start, 1)
        self._check_size(name, dims, kind, raw, typed)

    def _check_size(self, name: str, dims: list[int], kind: int, raw: int, typed: int) -> None:
        what = f"its tensor {name!r:.60} of shape {dims!s:.60}"
        if any(side < 0 for side in dims):
            raise _RefusedError(f"{what} has a negative side")
        elements = math.prod(dims)
        if raw >= 0 and kind in _BITS:
            wanted = (elements * _BITS[kind] + 7) // 8
            if raw != wanted:
                raise _RefusedError(f"{what} needs {wanted} bytes, but the file holds {raw}")
        elif elements > 8 * max(raw, typed):
            raise _RefusedError(f"{what} claims more elements than the file holds bytes")

    def _check_sparse(self, place: Field) -> None:
        dims: list[int] = []
        for item in read_fields(self._content, place.start, place.end):
            if item.number == _SPARSE_DIMS:
                dims += read_numbers(self._content, item)
        if any(side < 0 for side in dims) or math.prod(dims) > LARGEST_TENSOR:
            raise _RefusedError(f"a sparse tensor of shape {dims!s:.60} would take too much memory")

    def _check_input(self, place: Field) -> None:
        """Note whether the sides of the input ``image`` are open: ValueInfo → type → tensor → shape → dim."""
        info = self._fields(place)
        if self._text(info.get(1)) != IMAGE or 2 not in info:
            return
        tensor = self._fields(info[2]).get(1)
        shape = self._fields(tensor).get(2) if tensor else None
        if shape:
            dims = [item for item in read_fields(self._content, shape.start, shape.end) if item.number == 1]
            self.open_size = any(1 not in self._fields(dim) for dim in dims[:2])

    def _fields(self, place: Field) -> dict[int, Field]:
        """Return the fields of a message by number, of repeated ones the last."""
        return {item.number: item for item in read_fields(self._content, place.start, place.end)}

    def _text(self, place: Field | None) -> str:
        return self._content[place.start : place.end].decode(errors="replace") if place else ""
