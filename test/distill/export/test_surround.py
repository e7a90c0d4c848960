"""The borders of the network inside a file: cut there, the parts do what the whole does."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx.utils import Extractor
from torch import Tensor, nn

from distill.benchmarks.models import MEAN, STD
from distill.export.interpolation import Padding
from distill.export.surround import surround
from distill.export.trace import to_dynamic_onnx, to_onnx
from distill.models.deployed import DeployedModel
from distill.models.network import Maps, SegmentationNetwork
from distill.models.output import pad_to_multiple, upsample
from kd_seg_ros.inference.contract import IMAGE, NETWORK_IMAGE, NETWORK_LOGITS, OUTPUTS

CLASSES = 5
SIZE = (45, 70)


class Pyramid(SegmentationNetwork):
    """Logits at stride 8 of two convolutions, padded to multiples of 16."""

    padding_multiple = 16
    strides = MappingProxyType({"logits": 8})

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, stride=4, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.head = nn.Conv2d(8, CLASSES, 3, stride=2, padding=1)

    def maps(self, image: Tensor) -> Maps:
        half = upsample(image, [int(side) // 2 for side in image.shape[-2:]])
        logits = 4 * self.head(
            self.stem(image) + upsample(self.stem(half), [s // 4 for s in image.shape[-2:]])
        )
        return Maps(logits, logits, {})


def external() -> onnx.ModelProto:
    """A network of others for 48×80 whose logits are also read by a condition inside it."""
    rng = np.random.default_rng(0)
    weights = numpy_helper.from_array(rng.normal(size=(CLASSES, 3, 8, 8)).astype(np.float32), "w")
    shape = [1, CLASSES, 6, 10]
    chosen = helper.make_tensor_value_info("chosen", TensorProto.FLOAT, shape)
    branch = helper.make_graph([helper.make_node("Relu", ["y"], ["chosen"])], "branch", [], [chosen])
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["y"], strides=[8, 8]),
        helper.make_node("If", ["flag"], ["positive"], then_branch=branch, else_branch=branch),
        helper.make_node("Sub", ["positive", "y"], ["z"]),
    ]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 48, 80])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [weights, numpy_helper.from_array(np.array(True), "flag")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def file(kind: str, half: bool = False) -> onnx.ModelProto:
    if kind == "wrapped":
        padding = Padding.to_multiples(SIZE, 16)
        return surround(external(), MEAN, STD, padding, padding.upsampling((6, 10), SIZE))
    model = DeployedModel(Pyramid(), MEAN, STD, working_scale(kind)).eval()
    return to_dynamic_onnx(model, half) if "dynamic" in kind else to_onnx(model, SIZE, half)


def working_scale(kind: str) -> float:
    return 0.8 if "scaled" in kind else 1.0


def run(proto: onnx.ModelProto, feeds: dict[str, Any]) -> dict[str, Any]:
    """Run without optimisations: what they fuse depends on where the graph was cut."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds), strict=True))


KINDS = ["static", "static scaled", "dynamic", "dynamic scaled", "wrapped"]


@pytest.mark.parametrize("kind", KINDS)
def test_cut_at_the_borders_of_the_network_the_parts_do_what_the_whole_does(kind: str) -> None:
    proto = file(kind)
    image = np.random.default_rng(1).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    whole = run(proto, {IMAGE: image})
    cutter = Extractor(proto)
    pixels = run(cutter.extract_model([IMAGE], [NETWORK_IMAGE]), {IMAGE: image})
    logits = run(cutter.extract_model([NETWORK_IMAGE], [NETWORK_LOGITS]), pixels)
    # In a file of open size the nodes after the network ask the image how large it is.
    rest = logits | ({IMAGE: image} if "dynamic" in kind else {})
    found = run(cutter.extract_model(list(rest), list(OUTPUTS)), rest)
    for name in OUTPUTS:
        np.testing.assert_array_equal(found[name], whole[name])
    assert len(np.unique(whole["mask"])) > 2

    # What enters is the normalised image, resized and padded as PyTorch does it.
    model = DeployedModel(nn.Identity(), MEAN, STD, working_scale(kind))
    x = (torch.from_numpy(image).permute(2, 0, 1)[None] / 255 - model.mean) / model.std
    expected = pad_to_multiple(upsample(x, model.working_size(SIZE)), 16)[0].numpy()
    np.testing.assert_allclose(pixels[NETWORK_IMAGE], expected, atol=1e-5)
    assert logits[NETWORK_LOGITS].shape == (1, CLASSES, expected.shape[2] // 8, expected.shape[3] // 8)


@pytest.mark.parametrize(
    ("kind", "sides"), [("static", (48, 80)), ("static scaled", (48, 64)), ("dynamic", (0, 0))]
)
def test_the_borders_are_described_in_the_file(kind: str, sides: tuple[int, int]) -> None:
    found = {value.name: value.type.tensor_type for value in file(kind, half=True).graph.value_info}
    assert found.keys() == {NETWORK_IMAGE, NETWORK_LOGITS}
    low = [side // 8 for side in sides]
    for name, shape in ((NETWORK_IMAGE, [1, 3, *sides]), (NETWORK_LOGITS, [1, CLASSES, *low])):
        assert [side.dim_value for side in found[name].shape.dim] == shape
        assert found[name].elem_type == TensorProto.FLOAT16
