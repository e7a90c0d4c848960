"""SAME padding in a file of any size is that of timm."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
import onnxruntime as ort
import pytest
import torch
from timm.layers import Conv2dSame, padding
from torch import Tensor, nn

from distill.benchmarks.models import MEAN, STD
from distill.export.same_padding import same_padding_of_multiples
from distill.export.trace import to_dynamic_onnx
from distill.models.deployed import DeployedModel
from distill.models.network import Maps, SegmentationNetwork


class Same(SegmentationNetwork):
    """Three strided convolutions of even and odd kernels with SAME padding."""

    padding_multiple = 8
    strides = MappingProxyType({"logits": 8})

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(
            Conv2dSame(3, 8, 3, stride=2), Conv2dSame(8, 8, 5, stride=2), Conv2dSame(8, 4, 4, stride=2)
        )

    def maps(self, image: Tensor) -> Maps:
        logits = 5 * self.layers(image)
        return Maps(logits, logits, {})


def test_a_file_of_any_size_is_the_network() -> None:
    model = DeployedModel(Same(), MEAN, STD, 1.0).eval()
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(to_dynamic_onnx(model, half=False).SerializeToString(), options)
    for size in ((40, 64), (33, 71)):
        image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
        mask, probability = session.run(["mask", "probability"], {"image": image})
        with torch.no_grad():
            expected = [values.numpy() for values in model(torch.from_numpy(image))]
        np.testing.assert_allclose(probability, expected[2], atol=1e-5)
        assert (mask == expected[0]).mean() > 0.999


@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
@pytest.mark.parametrize("size", [31, 32])
def test_numbers_are_padded_as_before(size: int, kernel: int) -> None:
    outside = padding.get_same_padding(size, kernel, 2, 1)
    with same_padding_of_multiples():
        assert padding.get_same_padding(size, kernel, 2, 1) == outside
