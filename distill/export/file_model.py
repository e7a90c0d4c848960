"""The network of a model file, as calibration sees it: an image in, uncalibrated logits of its size out.

The file runs in ONNX Runtime, with the network's own logits (``network.logits`` of
:mod:`kd_seg_ros.inference.contract`) as one more output. They are brought to the image's size in PyTorch, in
the steps of :class:`~distill.models.deployed.DeployedModel`, so that every calibration can be tried on them.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from distill.export.interpolation import Padding
from distill.models.deployed import DeployedModel
from distill.models.output import upsample
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.inference.contract import METADATA_KEY, NETWORK_IMAGE, NETWORK_LOGITS
from kd_seg_ros.inference.digest import seal, to_be_sealed
from kd_seg_ros.inference.engine import Engine
from kd_seg_ros.inference.onnx_file import read_onnx_file
from kd_seg_ros.inference.opening import read_card


class LogitsEngine(Engine):
    """A model file that gives its network's logits as one more output."""

    def __init__(self, path: Path, provider: str) -> None:
        """Open a file.

        :raises UserError: if the file does not say where its network ends or how images are padded, or
            cannot be run.
        """
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / path.name
            copy.write_bytes(_with_logits(path))
            super().__init__(copy, provider, kernels=False)  # the logits come from the file's own nodes
        self._path = path

    def logits(self, image: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Tensor:
        """Return the network's logits at its own stride, float32 [1, C, h, w], of an image [H, W, 3]."""
        return torch.from_numpy(self._run([NETWORK_LOGITS], image)[0]).float()


class FileModel(DeployedModel):
    """A model file in place of a network in PyTorch; it has the card's normalisation, and no calibration."""

    def __init__(self, engine: LogitsEngine) -> None:
        card = engine.card
        super().__init__(nn.Identity(), card.mean, card.std, card.working_scale)
        self._engine = engine

    def logits(self, image: Tensor) -> Tensor:
        """Return uncalibrated FP32 logits [1, C, H, W] for a uint8 RGB image [H, W, 3].

        An image of another size than the file's is resized as on the vehicle, and so is the answer.
        """
        engine = self._engine
        given = (int(image.shape[0]), int(image.shape[1]))
        size = given if engine.dynamic else engine.size
        working = self.working_size(size)
        padding = Padding.to_multiples(working, engine.card.padding_multiple)

        z = upsample(engine.logits(image.cpu().numpy()), padding.padded)
        above, left = padding.before
        z = z[..., above : above + working[0], left : left + working[1]]
        if working != size:
            z = upsample(z, size)
        if size != given:
            z = F.interpolate(z, given, mode="nearest-exact")
        return z.to(image.device)


def _with_logits(path: Path) -> bytes:
    """Return a model file with its network's logits as one more output; raises UserError."""
    file = read_onnx_file(path)
    card = read_card(file)
    if card is None:
        raise UserError(f"{path}: the file has no model card: write it with `kd_seg export` or `kd_seg wrap`")
    proto = onnx.load_from_string(file.content)
    described = {value.name: value for value in proto.graph.value_info}
    if not {NETWORK_IMAGE, NETWORK_LOGITS} <= described.keys() or card.padding_multiple == 0:
        raise UserError(
            f"{path} was written by an earlier version, which does not say where its network begins and "
            "ends: export the model again"
        )
    proto.graph.output.append(described[NETWORK_LOGITS])
    onnx.helper.set_model_props(proto, {METADATA_KEY: to_be_sealed(card).to_json()})
    return seal(proto.SerializeToString())
