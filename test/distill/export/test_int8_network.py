"""A network of which all, some or none of the layers are in INT8."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from distill.export.int8_network import QuantisableNetwork, classes_of, open_network
from kd_seg_ros.inference.contract import NETWORK_IMAGE, NETWORK_LOGITS, OPSET

IMAGES = [np.random.default_rng(seed).normal(0, 1, (1, 3, 16, 24)).astype(np.float32) for seed in range(3)]


def network() -> onnx.ModelProto:
    """Three convolutions, the first two with activations that become part of them, and a sum around one."""
    rng = np.random.default_rng(0)
    shapes = {"w1": (8, 3, 3, 3), "w2": (8, 8, 1, 1), "w3": (5, 8, 1, 1)}
    constants = {name: rng.normal(0, 0.4, shape).astype(np.float32) for name, shape in shapes.items()}
    constants |= {"b1": rng.normal(0, 0.4, 8).astype(np.float32), "low": np.float32(0), "high": np.float32(6)}
    nodes = [
        helper.make_node("Conv", [NETWORK_IMAGE, "w1", "b1"], ["c1"], "first", pads=[1] * 4),
        helper.make_node("Clip", ["c1", "low", "high"], ["a1"], "clip"),
        helper.make_node("Conv", ["a1", "w2"], ["c2"], "second"),
        helper.make_node("Relu", ["c2"], ["a2"], "relu"),
        helper.make_node("Add", ["a1", "a2"], ["sum"], "add"),
        helper.make_node("Conv", ["sum", "w3"], [NETWORK_LOGITS], "third"),
    ]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info(NETWORK_IMAGE, TensorProto.FLOAT, [1, 3, 16, 24])],
        [helper.make_tensor_value_info(NETWORK_LOGITS, TensorProto.FLOAT, [1, 5, 16, 24])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)


@pytest.fixture(scope="module")
def quantisable() -> QuantisableNetwork:
    return QuantisableNetwork(network(), IMAGES[:2], (16, 24))


def logits(model: onnx.ModelProto) -> np.ndarray:
    onnx.checker.check_model(model)
    return np.asarray(open_network(model).run([NETWORK_LOGITS], {NETWORK_IMAGE: IMAGES[2]})[0])


def test_the_work_is_counted_in_the_order_of_the_network(quantisable: QuantisableNetwork) -> None:
    places = 16 * 24
    assert quantisable.work == {"first": 216 * places, "second": 64 * places, "third": 40 * places}
    assert list(quantisable.work) == ["first", "second", "third"]


def test_without_layers_the_network_stays_as_it_is(quantisable: QuantisableNetwork) -> None:
    np.testing.assert_array_equal(logits(quantisable.quantised([])), logits(network()))


@pytest.mark.parametrize(
    ("layers", "activations"),
    [
        (["first"], {"Relu"}),
        (["second"], {"Clip"}),
        (["third"], {"Clip", "Relu"}),
        (["first", "third"], {"Relu"}),
        (["first", "second", "third"], set()),
    ],
)
def test_the_layers_named_are_in_int8_and_no_others(
    layers: list[str], activations: set[str], quantisable: QuantisableNetwork
) -> None:
    model = quantisable.quantised(layers)
    constants = {item.name: item.data_type for item in model.graph.initializer}
    makers = {node.output[0]: node for node in model.graph.node}
    for node in model.graph.node:
        if node.op_type == "Conv":
            in_int8 = node.input[1] not in constants
            assert in_int8 == (node.name in layers)
            if in_int8:  # its weights are stored in bytes
                assert constants[makers[node.input[1]].input[0]] == TensorProto.INT8
    operators = Counter(node.op_type for node in model.graph.node)
    assert {name for name in ("Clip", "Relu") if operators[name]} == activations

    found, wanted = logits(model), logits(network())
    difference = np.abs(found - wanted).max() / np.abs(wanted).max()
    assert 0 < difference < 0.1  # rounded, and not by much


def test_what_a_layer_in_int8_has_made_is_read_as_it_was_rounded(quantisable: QuantisableNetwork) -> None:
    model = quantisable.quantised(["first"])
    (add,) = [node for node in model.graph.node if node.op_type == "Add"]
    makers = {node.output[0]: node.op_type for node in model.graph.node}
    assert [makers[name] for name in add.input] == ["DequantizeLinear", "Relu"]


def test_the_class_of_a_place_is_that_of_its_largest_logit(quantisable: QuantisableNetwork) -> None:
    found = classes_of(open_network(network()), IMAGES[2])
    np.testing.assert_array_equal(found, logits(network())[0].argmax(0))
