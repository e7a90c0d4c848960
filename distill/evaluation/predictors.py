"""How a model is asked about an image, whether it is a network in PyTorch or an exported file.

A :data:`Predictor` gives the probabilities of all classes, as logarithms in float32: their softmax is the
probabilities themselves, so that they serve as calibrated logits, and small probabilities keep their digits.
A :data:`Segmenter` gives mask and confidence only, a :data:`Publisher` both as bytes, as on the vehicle.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from distill.common.device import default_device
from distill.models.deployed import DeployedModel
from kd_seg_ros.inference.engine import Engine

Predictor = Callable[[NDArray[np.uint8]], Tensor]
"""RGB image [H, W, 3] → log-probabilities [C, H, W], float32."""
DistancePredictor = Callable[[NDArray[np.uint8]], tuple[Tensor, float]]
"""The same together with the image's domain distance (:mod:`kd_seg_ros.inference.domain`)."""
Publisher = Callable[[NDArray[np.uint8]], tuple[NDArray[np.uint8], NDArray[np.uint8]]]
"""RGB image [H, W, 3] → class ids and confidence, round(255 · probability), uint8 [H, W] each."""
Segmenter = Callable[[NDArray[np.uint8]], tuple[NDArray[np.uint8], NDArray[np.float32]]]
"""RGB image [H, W, 3] → class ids [H, W] and the probability of that class [H, W], 0…1."""


def torch_predictor(model: DeployedModel) -> Predictor:
    """Return the predictor of a network in PyTorch; it runs on the GPU where there is one."""
    device = default_device()
    model = model.to(device)

    @torch.inference_mode()
    def predict(image: NDArray[np.uint8]) -> Tensor:
        scores, _ = model.scores(torch.from_numpy(np.ascontiguousarray(image)).to(device))
        return scores.log_softmax(0)

    return predict


def torch_segmenter(model: DeployedModel) -> Segmenter:
    """Return the segmenter of a network in PyTorch; it runs on the GPU where there is one."""
    device = default_device()
    model = model.to(device)

    @torch.inference_mode()
    def segment(image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        mask, _, probability = model(torch.from_numpy(np.ascontiguousarray(image)).to(device))
        return mask.cpu().numpy(), probability.cpu().numpy()

    return segment


def engine_segmenter(engine: Engine) -> Segmenter:
    """Return the segmenter of an exported file."""

    def segment(image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        prediction = engine.segment(image, probability=True)
        assert prediction.probability is not None
        return prediction.mask, prediction.probability

    return segment


def torch_publisher(model: DeployedModel) -> Publisher:
    """Return the publisher of a network in PyTorch; it runs on the GPU where there is one."""
    device = default_device()
    model = model.to(device)

    @torch.inference_mode()
    def publish(image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        mask, confidence, _ = model(torch.from_numpy(np.ascontiguousarray(image)).to(device))
        return mask.cpu().numpy(), confidence.cpu().numpy()

    return publish


def engine_publisher(engine: Engine) -> Publisher:
    """Return the publisher of an exported file."""

    def publish(image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        prediction = engine.segment(image)
        return prediction.mask, prediction.confidence

    return publish
