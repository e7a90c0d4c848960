"""Layers that half precision cannot hold are found, stay in single precision, and the file agrees."""

from __future__ import annotations

from typing import Any

import onnx
import pytest
import torch
from onnx import TensorProto
from stretched_network import Stretched, patches
from torch import nn

from distill.benchmarks.models import MEAN, STD
from distill.export.half_precision import layers_in_single
from distill.export.trace import to_onnx
from distill.models.deployed import DeployedModel

SIZE = (64, 96)


def model(factor: float) -> DeployedModel:
    return DeployedModel(Stretched(factor), MEAN, STD, 1.0).eval()


@pytest.mark.parametrize(("factor", "expected"), [(1.0, set()), (1e6, {"large", "small"})])
def test_only_what_leaves_the_range_is_kept(factor: float, expected: set[str]) -> None:
    assert set(layers_in_single(model(factor), [torch.from_numpy(patches())], 0.995)) == expected


def test_a_file_with_layers_in_single_precision_does_what_the_network_does() -> None:
    network = model(1e6)
    expected = network(torch.from_numpy(patches()))[0].numpy()
    shares: dict[tuple[str, ...], float] = {}
    kinds: dict[tuple[str, ...], list[int]] = {}
    choices: list[tuple[str, ...]] = [(), ("large", "small")]
    for single in choices:
        proto = to_onnx(network, SIZE, single=single)
        found: Any = onnx.reference.ReferenceEvaluator(proto).run(["mask"], {"image": patches()})
        shares[single] = float((found[0] == expected).mean())
        weights = [w for w in proto.graph.initializer if len(w.dims) == 4]
        kinds[single] = sorted(w.data_type for w in weights if w.dims[0] > 1)
    assert shares[()] < 0.9
    assert shares["large", "small"] >= 0.995
    assert kinds[()] == [TensorProto.FLOAT16] * 4
    assert kinds["large", "small"] == [TensorProto.FLOAT] * 2 + [TensorProto.FLOAT16] * 2


def test_half_precision_that_is_not_at_fault_keeps_nothing() -> None:
    """Rounding alone flips pixels between equal classes; no layer helps against that."""
    undecided = model(1.0)
    last = undecided.network.get_submodule("last")
    assert isinstance(last, nn.Conv2d)
    assert last.bias is not None
    nn.init.zeros_(last.weight)
    nn.init.normal_(last.bias, std=1e-4)
    assert layers_in_single(undecided, [torch.from_numpy(patches())], 1.1) == ()
