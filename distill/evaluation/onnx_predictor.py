"""The probabilities of all classes from an exported file, whose outputs are mask and confidence only.

The graph computes them at full size on the way, in stripes (:mod:`distill.export.postprocess`); that of
earlier
versions in one piece. A temporary copy of the file gives them as one more output and is run like the file
itself.
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

from kd_seg_ros.inference.contract import DOMAIN_DISTANCE, METADATA_KEY, SCORES, scores_name
from kd_seg_ros.inference.digest import seal, to_be_sealed
from kd_seg_ros.inference.engine import Engine, EngineError
from kd_seg_ros.inference.onnx_file import read_onnx_file
from kd_seg_ros.inference.opening import read_card


class ScoringEngine(Engine):
    """An engine whose file gives the scores as an output."""

    def __init__(self, path: Path, copy: Path, provider: str) -> None:
        """Open the copy; messages name the file itself."""
        super().__init__(copy, provider, kernels=False)  # the scores come from the file's own nodes
        self._path = path

    def predict(self, image: NDArray[np.uint8]) -> Tensor:
        """Return log-probabilities [C, H, W], see :data:`~distill.evaluation.predictors.Predictor`."""
        return _of_size(self._run([SCORES], image)[0], image)

    def predict_with_distance(self, image: NDArray[np.uint8]) -> tuple[Tensor, float]:
        """Return log-probabilities and, by the same run, how far the image is from those of calibration.

        Of a file whose card says what its domain distance was in calibration.
        """
        scores, distance = self._run([SCORES, DOMAIN_DISTANCE], image)
        return _of_size(scores, image), float(distance[0])


def _of_size(scores: NDArray[np.float32], image: NDArray[np.uint8]) -> Tensor:
    """Return a file's scores as log-probabilities of an image's size, nearest as the vehicle does it."""
    found = torch.from_numpy(scores).log_softmax(0)
    return F.interpolate(found[None], image.shape[:2], mode="nearest-exact")[0]


def open_engine(path: Path, provider: str) -> Engine:
    """Open an exported file: a :class:`ScoringEngine`, unless its graph has no scores.

    :raises EngineError: as :class:`~kd_seg_ros.inference.engine.Engine` does.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        if _write_with_scores(path, copy):
            try:
                return ScoringEngine(path, copy, provider)
            except EngineError:
                pass  # the file itself says why
    return Engine(path, provider)


def _write_with_scores(path: Path, copy: Path) -> bool:
    """Copy a file with its scores as an output; return False, with nothing written, if it has none."""
    try:
        file = read_onnx_file(path)
        card = read_card(file)
        proto = onnx.load_from_string(file.content)
    except Exception:  # the engine says what is wrong
        return False
    if card is None:
        return False
    values = {name for node in proto.graph.node for name in node.output}
    stripes = sum(name.startswith(f"{SCORES}.") for name in values)
    if stripes:
        names = [scores_name(number) for number in range(stripes)]
        rows = onnx.helper.make_node("Concat", names, [f"{SCORES}/rows"], axis=0)
        proto.graph.node.append(rows)
        proto.graph.node.append(onnx.helper.make_node("Transpose", rows.output, [SCORES], perm=[1, 0, 2]))
    elif SCORES not in values:
        return False
    proto.graph.output.append(onnx.helper.make_tensor_value_info(SCORES, onnx.TensorProto.FLOAT, None))
    onnx.helper.set_model_props(proto, {METADATA_KEY: to_be_sealed(card).to_json()})
    copy.write_bytes(seal(proto.SerializeToString()))
    return True
