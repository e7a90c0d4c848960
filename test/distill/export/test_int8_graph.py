"""A network taken out of its file, folded and put back: the file does what it did."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from strided_file import SIZE, write_strided_file

from distill.export.int8_graph import folded_network, in_single_precision, with_network
from distill.export.model_card import save_with_card
from distill.export.surround import shape_of
from kd_seg_ros.inference.contract import NETWORK_IMAGE, NETWORK_LOGITS
from kd_seg_ros.inference.engine import Engine

IMAGE = np.random.default_rng(3).integers(0, 256, (*SIZE, 3), dtype=np.uint8)


@pytest.mark.parametrize("kind", [{}, {"half": True}, {"dynamic": True, "scale": 0.6}])
def test_the_file_does_what_it_did(kind: dict[str, Any], tmp_path: Path) -> None:
    old = write_strided_file(tmp_path / "old.onnx", **kind)
    whole = in_single_precision(onnx.load(old))
    kinds = {tensor.data_type for tensor in whole.graph.initializer}
    assert TensorProto.FLOAT16 not in kinds
    network = folded_network(whole)
    assert len({node.name for node in network.graph.node}) == len(network.graph.node)

    new = with_network(whole, network)
    described = {value.name: value for value in new.graph.value_info}
    assert described.keys() == {NETWORK_IMAGE, NETWORK_LOGITS}
    assert shape_of(described[NETWORK_IMAGE])[1] == 3
    save_with_card(new, Engine(old, "cpu").card, tmp_path / "new.onnx")
    found = Engine(tmp_path / "new.onnx", "cpu").segment(IMAGE, probability=True)
    wanted = Engine(old, "cpu").segment(IMAGE, probability=True)
    assert np.mean(found.mask == wanted.mask) > 0.999
    assert found.probability is not None
    assert wanted.probability is not None
    np.testing.assert_allclose(found.probability, wanted.probability, atol=5e-3)
