from __future__ import annotations

import sys

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from tiny_model import build

from distill.benchmarks.one_convolution import Kind, card, model_file
from kd_seg_ros.inference.contract import IMAGE, NETWORK_IMAGE, NETWORK_LOGITS, OUTPUTS
from kd_seg_ros.inference.gpu.parameters import NotFusedError
from kd_seg_ros.inference.gpu.split_file import SplitFile


def run(model: bytes, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    return list(session.run(None, {tensor.name: feeds[tensor.name] for tensor in session.get_inputs()}))


@pytest.mark.parametrize("dynamic", [False, True])
def test_the_three_parts_in_turn_are_the_file(dynamic: bool) -> None:
    kind = Kind(size=(37, 53), scale=0.7, multiple=8, half=False, dynamic=dynamic)
    data = model_file(kind)
    split = SplitFile.of_file(data)
    image = np.random.default_rng(0).integers(0, 256, (*kind.size, 3), dtype=np.uint8)
    feeds = {IMAGE: image}
    expected = run(data, feeds)
    feeds[NETWORK_IMAGE] = run(split.before, feeds)[0]
    feeds[NETWORK_LOGITS] = run(split.network, feeds)[0]
    for found, wanted in zip(run(split.after, feeds), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert len(expected) == len(OUTPUTS)


def test_weights_are_in_the_networks_part_only() -> None:
    split = SplitFile.of_file(model_file(Kind(classes=200)))
    weights = 200 * 3 * 5 * 5 * 2
    assert len(split.network) > weights
    assert len(split.before) < weights
    names = {tensor.name for tensor in onnx.load_model_from_string(split.after).graph.initializer}
    assert not any(name.startswith("network/") for name in names)


def test_descriptions_of_the_borders_are_not_needed() -> None:
    model = onnx.load_model_from_string(model_file(Kind()))
    del model.graph.value_info[:]
    assert SplitFile.of_file(model.SerializeToString()).network


def test_a_file_without_borders_is_run_as_it_is() -> None:
    with pytest.raises(NotFusedError, match="does not name where its network begins"):
        SplitFile.of_file(build(8, 8, card(Kind()).to_json()).SerializeToString())


def test_without_the_package_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(NotFusedError, match="pip install"):
        SplitFile.of_file(b"")
