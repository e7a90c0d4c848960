"""From a PyTorch module to the one ONNX file: network in FP16, post-processing in FP32, card inside.

BatchNorm nodes are kept: folded into the convolutions they would need a copy of the backbone's weights
per pyramid level. ONNX Runtime folds them in memory when it loads the file.
"""

from __future__ import annotations

import copy
import logging
import warnings
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from distill.models.deployed import DeployedModel, maps
from kd_seg_ros.card import METADATA_KEY, ModelCard

OPSET = 18
"""The newest for which ONNX Runtime has always had a CUDA kernel of Resize."""

OUTPUTS = ["mask", "confidence", "probability"]
SCORES = "scores"
"""A value inside the graph, float32 [C, H, W]: see :meth:`~distill.models.deployed.DeployedModel.scores`."""


class _WithScores(nn.Module):
    """A deployed model whose scores are an output, too: that is how they get their name in the graph."""

    def __init__(self, model: DeployedModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return the three maps and the scores."""
        scores, mask = self.model.scores(image)
        return (*maps(scores, mask), scores)


def to_onnx(model: DeployedModel, size: tuple[int, int], half: bool = True) -> onnx.ModelProto:
    """Trace a deployed model for images of ``size`` = (H, W), with its network in half precision."""
    model = copy.deepcopy(model).cpu().eval()
    if half:
        model.network.half()
    image = torch.zeros(*size, 3, dtype=torch.uint8)
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                _WithScores(model).eval(),
                (image,),
                opset_version=OPSET,
                input_names=["image"],
                output_names=[*OUTPUTS, SCORES],
                dynamo=True,
                verbose=False,
            )
    finally:
        logger.setLevel(level)
    assert program is not None
    proto: onnx.ModelProto = program.model_proto
    proto.graph.output.pop()
    _strip(proto)
    onnx.checker.check_model(proto)
    return proto


def save(proto: onnx.ModelProto, card: ModelCard, path: Path) -> None:
    """Put the card into the file's metadata and write it."""
    onnx.helper.set_model_props(proto, {METADATA_KEY: card.to_json()})
    path.write_bytes(proto.SerializeToString(deterministic=True))


def _strip(proto: onnx.ModelProto) -> None:
    """Remove the exporter's notes: source lines and paths of the exporting machine."""
    graph = proto.graph
    for message in (*graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer, graph):
        del message.metadata_props[:]
        message.doc_string = ""
