"""From an image to the probabilities of all classes, by a network in PyTorch.

Logarithms of probabilities, float32: their softmax is the probabilities themselves, so that they serve as
calibrated logits, and small probabilities keep their digits.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from distill.common.device import default_device
from distill.models.deployed import DeployedModel

Predictor = Callable[[NDArray[np.uint8]], Tensor]
"""RGB image [H, W, 3] → log-probabilities [C, H, W], float32."""


def torch_predictor(model: DeployedModel) -> Predictor:
    """Predict with a network as the vehicle will run it; on the GPU where there is one."""
    device = default_device()
    model = model.to(device)

    @torch.inference_mode()
    def predict(image: NDArray[np.uint8]) -> Tensor:
        scores, _ = model.scores(torch.from_numpy(np.ascontiguousarray(image)).to(device))
        return scores.log_softmax(0)

    return predict
