"""Writing ONNX nodes by hand: a graph under construction, its nodes in order and its constants."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper


class GraphBuilder:
    """Nodes and constants; :meth:`add` and :meth:`constant` return the name of the value they make.

    :param prefix: of all names that are not given, so that parts of one graph cannot clash.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def constant(self, value: Any, dtype: type[np.generic]) -> str:
        """Put a constant into the graph; equal ones are stored once."""
        array: NDArray[Any] = np.ascontiguousarray(value, dtype).reshape(np.shape(value))
        key = (array.dtype.name, array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = f"{self.prefix}constant_{len(self._constants)}"
            self.initializers.append(numpy_helper.from_array(array, self._constants[key]))
        return self._constants[key]

    def floats(self, value: Any) -> str:
        """Put a float32 constant into the graph."""
        return self.constant(value, np.float32)

    def integers(self, *values: int) -> str:
        """Put a vector of int64 into the graph: axes, shapes, sizes."""
        return self.constant(values, np.int64)

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Append a node with one output; an empty input stands for one that is left out."""
        output = output or f"{self.prefix}{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output
