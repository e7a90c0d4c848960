"""A domain distance in the graph: what NumPy makes of the same feature maps, and nothing else changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import helper, numpy_helper

from distill.benchmarks.one_convolution import Kind, card, network, write_model
from distill.calibration.domain_fit import fit_distance
from distill.export.domain_file import StatisticsOfMaps, read_without_distance, write_distance
from distill.export.domain_maps import early_maps
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.inference.card import ModelCard
from kd_seg_ros.inference.contract import IMAGE, NETWORK_IMAGE, NETWORK_LOGITS
from kd_seg_ros.inference.engine import Engine, EngineError

KIND = Kind(size=(40, 56), multiple=8)
KINDS = [
    KIND,
    replace(KIND, half=False),
    replace(KIND, dynamic=True),
    replace(KIND, dynamic=True, half=False),
]


def images(count: int, seed: int = 0) -> np.ndarray:
    """Images [count, H, W, 3] of random brightness and contrast."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(count, *KIND.size, 3))
    values = rng.uniform(80, 160, (count, 1, 1, 3)) + rng.uniform(10, 40, (count, 1, 1, 1)) * noise
    return np.clip(values, 0, 255).astype(np.uint8)


def with_distance(folder: Path, kind: Kind) -> tuple[Path, Path, Any]:
    """Write a file, and the same with a distance; return both paths and what was fitted."""
    plain, out = write_model(folder / "plain.onnx", kind), folder / "distance.onnx"
    statistics = StatisticsOfMaps(plain)
    found = fit_distance(np.stack([statistics.measure(image) for image in images(40)]), [""] * 40)
    write_distance(plain, out, statistics.maps, found.reference, found.of_card("noise"))
    return plain, out, found


def statistics_by_numpy(path: Path, image: np.ndarray) -> np.ndarray:
    """Mean and deviation of the channels of the network's only map."""
    model = onnx.load(path)
    kind = model.graph.value_info[-1].type.tensor_type.elem_type
    model.graph.output.append(helper.make_tensor_value_info(NETWORK_LOGITS, kind, None))
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    values = session.run([NETWORK_LOGITS], {IMAGE: image})[0][0].astype(np.float64)
    return np.concatenate([values.mean(axis=(1, 2)), values.std(axis=(1, 2))])


@pytest.mark.parametrize("kind", KINDS, ids=["half", "single", "half, any size", "single, any size"])
def test_the_graphs_distance_is_numpys_and_the_maps_stay(kind: Kind, tmp_path: Path) -> None:
    plain, out, found = with_distance(tmp_path, kind)
    before, after = Engine(plain, "cpu"), Engine(out, "cpu")
    assert after.card.domain["images"] == 40
    for image in images(3, seed=1):
        one, other = before.segment(image), after.segment(image)
        np.testing.assert_array_equal(one.mask, other.mask)
        np.testing.assert_array_equal(one.confidence, other.confidence)
        expected = found.reference.distance(statistics_by_numpy(plain, image)[None])[0]
        assert one.domain_distance is None
        assert other.domain_distance == pytest.approx(expected, rel=2e-3)
    limit = after.card.domain["quantiles"]["99.9"]
    unlike = np.zeros((*KIND.size, 3), np.uint8)
    strange = after.segment(unlike).domain_distance
    assert strange is not None
    assert strange > limit


def test_an_image_of_another_size_is_measured_as_it_is_segmented(tmp_path: Path) -> None:
    _, out, _ = with_distance(tmp_path, KIND)
    large = np.kron(images(1)[0], np.ones((2, 2, 1), np.uint8))
    engine = Engine(out, "cpu")
    assert engine.segment(large).domain_distance == pytest.approx(
        engine.segment(images(1)[0]).domain_distance, rel=1e-4
    )


def test_a_second_calibration_replaces_the_first(tmp_path: Path) -> None:
    plain, out, found = with_distance(tmp_path, KIND)
    write_distance(
        out, tmp_path / "again.onnx", StatisticsOfMaps(out).maps, found.reference, found.of_card("x")
    )
    first, again = onnx.load(out), onnx.load(tmp_path / "again.onnx")
    assert len(first.graph.node) == len(again.graph.node)
    assert Engine(tmp_path / "again.onnx", "cpu").card.domain["source"] == "x"
    bare, without = read_without_distance(out)
    assert len(bare.graph.node) == len(onnx.load(plain).graph.node)
    assert without.domain == {}


def test_a_card_that_speaks_of_a_distance_the_file_has_not_is_refused(tmp_path: Path) -> None:
    plain, _, found = with_distance(tmp_path, KIND)
    model = onnx.load(plain)
    spoken = replace(card(KIND), domain=found.of_card("x"))
    helper.set_model_props(model, {"kd_seg_ros.card": spoken.to_json()})
    onnx.save(model, tmp_path / "spoken.onnx")
    with pytest.raises(EngineError, match="by its model card it has an output 'domain_distance'"):
        Engine(tmp_path / "spoken.onnx", "cpu")


def test_the_last_of_the_narrowest_maps_of_a_stride_is_taken() -> None:
    """Wide maps in between, and a decoder that comes back to a stride, do not count."""
    layers = [  # name, channels, stride of the layer
        ("stem", 8, 2),
        ("wide4", 24, 2),
        ("narrow4", 6, 1),
        ("again4", 6, 1),
        ("wide8", 12, 2),
        ("narrow8", 10, 1),
        ("deep16", 40, 2),
    ]
    nodes = [helper.make_node("Identity", ["pixels"], [NETWORK_IMAGE])]
    weights, before, channels = [], NETWORK_IMAGE, 3
    for name, width, stride in layers:
        weights.append(numpy_helper.from_array(np.zeros((width, channels, 1, 1), np.float32), f"w{name}"))
        nodes.append(helper.make_node("Conv", [before, f"w{name}"], [name], strides=[stride] * 2))
        before, channels = name, width
    scales = numpy_helper.from_array(np.array([1, 1, 4, 4], np.float32), "scales")
    nodes.append(helper.make_node("Resize", [before, "", "scales"], ["up4"], mode="nearest"))
    weights += [scales, numpy_helper.from_array(np.zeros((5, 40, 1, 1), np.float32), "wlast")]
    nodes.append(helper.make_node("Conv", ["up4", "wlast"], [NETWORK_LOGITS]))
    single = helper.np_dtype_to_tensor_dtype(np.dtype(np.float32))
    image = helper.make_tensor_value_info("pixels", single, [1, 3, 64, 96])
    logits = helper.make_tensor_value_info(NETWORK_LOGITS, single, [1, 5, 16, 24])
    model = helper.make_model(helper.make_graph(nodes, "n", [image], [logits], weights))
    found = [(item.name, item.channels, item.stride) for item in early_maps(model)]
    assert found == [("again4", 6, 4), ("narrow8", 10, 8)]
    assert [item.name for item in early_maps(model, (2,))] == ["stem"]


def test_a_network_without_such_maps_is_refused(tmp_path: Path) -> None:
    path = write_model(tmp_path / "same.onnx", replace(KIND, stride=1))
    with pytest.raises(UserError, match="no feature map of the network"):
        StatisticsOfMaps(path)
    model = network(KIND, KIND.size, (10, 14))
    with pytest.raises(UserError, match="does not name where its network begins"):
        early_maps(model)


def test_damaged_quantiles_are_refused_with_the_card() -> None:
    good = {"quantiles": {"50": 1, "95": 2, "99": 3, "99.9": 4}, "images": 9, "method": "m", "source": "s"}
    assert ModelCard.from_json(replace(card(KIND), domain=good).to_json()).domain == good
    bad: list[Any] = [
        good | {"quantiles": {"50": 1, "95": 2, "99": 3}},
        good | {"quantiles": {"50": 1, "95": 5, "99": 3, "99.9": 4}},
        good | {"quantiles": {"50": 1, "95": 2, "99": "3", "99.9": 4}},
        good | {"quantiles": [1, 2, 3, 4]},
        good | {"images": 0},
        {"images": 9},
        [],
    ]
    for value in bad:
        text = replace(card(KIND), domain=value).to_json()
        with pytest.raises(UserError, match="model card's domain must be quantiles"):
            ModelCard.from_json(text)
