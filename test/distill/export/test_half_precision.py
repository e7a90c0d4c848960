"""Layers that half precision cannot hold are found, stay in single precision, and the file agrees."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto
from torch import Tensor, nn

from distill.benchmarks.models import MEAN, STD
from distill.export.half_precision import layers_in_single
from distill.export.trace import to_onnx
from distill.models.deployed import DeployedModel
from distill.models.network import Maps, SegmentationNetwork
from kd_seg_ros.common.classes import NUM_CLASSES

SIZE = (64, 96)


class Stretched(SegmentationNetwork):
    """Four convolutions; ``large`` makes numbers beyond half precision that ``small`` brings back."""

    padding_multiple = 32
    strides = MappingProxyType({"logits": 4})

    def __init__(self, factor: float) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, 16, 4, stride=4)
        self.large = nn.Conv2d(16, 16, 1)
        self.small = nn.Conv2d(16, 16, 1)
        self.last = nn.Conv2d(16, NUM_CLASSES, 3, padding=1)
        with torch.no_grad():
            self.large.weight.mul_(factor)
            self.small.weight.div_(factor)

    def maps(self, image: Tensor) -> Maps:
        logits = 20 * self.last(self.small(torch.relu(self.large(self.first(image)))))
        return Maps(logits, logits, {})


def model(factor: float) -> DeployedModel:
    return DeployedModel(Stretched(factor), MEAN, STD, 1.0).eval()


def image() -> np.ndarray:
    coarse = np.random.default_rng(0).integers(0, 256, (8, 12, 3), dtype=np.uint8)
    return np.kron(coarse, np.ones((8, 8, 1), np.uint8))


@pytest.mark.parametrize(("factor", "expected"), [(1.0, set()), (1e6, {"large", "small"})])
def test_only_what_leaves_the_range_is_kept(factor: float, expected: set[str]) -> None:
    assert set(layers_in_single(model(factor), [torch.from_numpy(image())], 0.995)) == expected


def test_a_file_with_layers_in_single_precision_does_what_the_network_does() -> None:
    network = model(1e6)
    expected = network(torch.from_numpy(image()))[0].numpy()
    shares, kinds = {}, {}
    for single in ((), ("large", "small")):
        proto = to_onnx(network, SIZE, single=single)
        session = onnx.reference.ReferenceEvaluator(proto)
        shares[single] = float((session.run(["mask"], {"image": image()})[0] == expected).mean())
        weights = [w for w in proto.graph.initializer if len(w.dims) == 4]
        kinds[single] = sorted(w.data_type for w in weights if w.dims[0] > 1)
    assert shares[()] < 0.9
    assert shares["large", "small"] >= 0.995
    assert kinds[()] == [TensorProto.FLOAT16] * 4
    assert kinds["large", "small"] == [TensorProto.FLOAT] * 2 + [TensorProto.FLOAT16] * 2


def test_half_precision_that_is_not_at_fault_keeps_nothing() -> None:
    """Rounding alone flips pixels between equal classes; no layer helps against that."""
    undecided = model(1.0)
    with torch.no_grad():
        undecided.network.last.weight.zero_()
    undecided.network.last.bias.data = 1e-4 * torch.randn(NUM_CLASSES)
    assert layers_in_single(undecided, [torch.from_numpy(image())], 1.1) == ()
