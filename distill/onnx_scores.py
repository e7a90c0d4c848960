"""All classes' probabilities from an exported file, whose own outputs are mask and confidence only.

The graph computes them at full size on the way, in a value called ``scores``. A temporary copy of the
file gives it as one more output and is run like the file itself.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from distill.onnx_file import SCORES
from distill.predictors import Predictor
from kd_seg_ros.engine import Engine


class ScoringEngine(Engine):
    """An engine whose file gives the scores as an output."""

    def scores(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return [C, h, w] at the file's own size."""
        return self._run([SCORES], image)[0]


def engine_predictor(path: Path, provider: str) -> Predictor | None:
    """Predict with an exported file; None if its graph has no scores."""
    proto = onnx.load(path)
    if not any(SCORES in node.output for node in proto.graph.node):
        return None
    proto.graph.output.append(onnx.helper.make_tensor_value_info(SCORES, onnx.TensorProto.FLOAT, None))
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        onnx.save(proto, copy)
        engine = ScoringEngine(copy, provider)

    def predict(image: NDArray[np.uint8]) -> Tensor:
        found = torch.from_numpy(engine.scores(image)).log_softmax(0)
        # Nearest, as the vehicle brings back its maps.
        return F.interpolate(found[None], image.shape[:2], mode="nearest-exact")[0]

    return predict
