"""What scoring calls, made from a network in PyTorch or from an exported file."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from distill.common.device import default_device
from distill.evaluation.metrics_json import Segmenter
from distill.models.deployed import DeployedModel
from kd_seg_ros.inference.engine import Engine


def engine_segmenter(engine: Engine) -> Segmenter:
    """Adapt an engine to what scoring calls."""

    def segment(image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        prediction = engine.segment(image, probability=True)
        assert prediction.probability is not None
        return prediction.mask, prediction.probability

    return segment


def torch_segmenter(model: DeployedModel) -> Segmenter:
    """Adapt a network in PyTorch to what scoring calls; it runs on the GPU where there is one."""
    device = default_device()
    model = model.to(device)

    @torch.inference_mode()
    def segment(image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        mask, _, probability = model(torch.from_numpy(np.ascontiguousarray(image)).to(device))
        return mask.cpu().numpy(), probability.cpu().numpy()

    return segment
