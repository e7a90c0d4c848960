"""A network of which some layers are in INT8 and the others as they were.

ONNX Runtime's quantiser takes seconds for each network that it writes, and the search for sensitive layers
tries dozens. So it quantises all layers once, and here every mixture is put together from its nodes and those
of the network in floating point. A value made by a layer in INT8 is read by all others as it was rounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import onnx

_CONVERSIONS: Final = ("QuantizeLinear", "DequantizeLinear")


class MixedNetwork:
    """Puts networks together from one in floating point and the same with all layers quantised."""

    def __init__(self, plain: onnx.ModelProto, quantised: onnx.ModelProto, layers: Sequence[str]) -> None:
        """Take two networks whose layers have the same names.

        :param quantised: in the format QDQ; activations that its layers have taken in are missing in it.
        :param layers: names of the quantised layers.
        """
        self._plain, self._quantised = plain, _without_names_of(quantised, plain)
        own = set(layers)
        self._layers = {node.name: node for node in self._quantised.graph.node if node.name in own}
        present = {node.name for node in quantised.graph.node}
        self._taken_in = {}
        makers = {node.output[0]: node.name for node in plain.graph.node}
        for node in plain.graph.node:
            if node.name not in present:
                self._taken_in[node.name] = makers[node.input[0]]
        self._rounded = _rounded_values(self._quantised.graph)

    def with_layers(self, layers: Iterable[str]) -> onnx.ModelProto:
        """Return the network with these layers in INT8."""
        chosen = set(layers)
        made = {self._layers[name].output[0] for name in chosen}
        nodes: list[onnx.NodeProto] = []
        for node in self._plain.graph.node:
            if node.name in chosen:
                nodes.append(self._layers[node.name])
            elif self._taken_in.get(node.name) not in chosen:
                nodes.append(self._reading_rounded(node, made))
        nodes += self._conversions(nodes)

        result = onnx.ModelProto()
        result.CopyFrom(self._quantised)
        graph = result.graph
        del graph.node[:], graph.initializer[:], graph.value_info[:]
        ordered = _in_order(nodes)
        graph.node.extend(ordered)
        used = {name for node in ordered for name in node.input}
        constants = {item.name: item for item in self._quantised.graph.initializer}
        constants |= {item.name: item for item in self._plain.graph.initializer}
        graph.initializer.extend(constants[name] for name in sorted(used & constants.keys()))
        return result

    def _reading_rounded(self, node: onnx.NodeProto, made: set[str]) -> onnx.NodeProto:
        """Copy a node that reads what layers in INT8 have made as it was rounded."""
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        copy.input[:] = [self._rounded[name] if name in made else name for name in node.input]
        return copy

    def _conversions(self, nodes: Sequence[onnx.NodeProto]) -> list[onnx.NodeProto]:
        """Return the nodes that convert between floating point and INT8 for some nodes and the outputs."""
        makers = {name: node for node in self._quantised.graph.node for name in node.output}
        known = {name for node in nodes for name in node.output}
        waiting = [name for node in nodes for name in node.input]
        waiting += [value.name for value in self._plain.graph.output]
        found: list[onnx.NodeProto] = []
        while waiting:
            name = waiting.pop()
            maker = makers.get(name)
            if name in known or maker is None or maker.op_type not in _CONVERSIONS:
                continue
            known.add(name)
            found.append(maker)
            waiting.extend(maker.input)
        return found


def _without_names_of(quantised: onnx.ModelProto, plain: onnx.ModelProto) -> onnx.ModelProto:
    """Copy a quantised network; a rounded bias, which has the name of the bias itself, gets another."""
    constants = {item.name for item in plain.graph.initializer}
    result = onnx.ModelProto()
    result.CopyFrom(quantised)
    made = {name for node in result.graph.node for name in node.output}
    names = {name: f"{name}_rounded" for name in made & constants}
    for node in result.graph.node:
        for values in (node.input, node.output):
            values[:] = [names.get(name, name) for name in values]
    return result


def _rounded_values(graph: onnx.GraphProto) -> dict[str, str]:
    """Return, for each value that is quantised, the name of the same value brought back to floating point."""
    back: Mapping[str, str] = {
        node.input[0]: node.output[0] for node in graph.node if node.op_type == "DequantizeLinear"
    }
    return {
        node.input[0]: back[node.output[0]]
        for node in graph.node
        if node.op_type == "QuantizeLinear" and node.output[0] in back
    }


def _in_order(nodes: Sequence[onnx.NodeProto]) -> list[onnx.NodeProto]:
    """Sort nodes so that each comes after those whose values it reads."""
    unmade = {name for node in nodes for name in node.output}
    waiting, ordered = list(nodes), []
    while waiting:
        later = []
        for node in waiting:
            if unmade.isdisjoint(node.input):
                ordered.append(node)
                unmade.difference_update(node.output)
            else:
                later.append(node)
        assert len(later) < len(waiting), "the network has a cycle"
        waiting = later
    return ordered
