from __future__ import annotations

import numpy as np
import pytest
import scipy.special
import torch
from calibrations import CALIBRATIONS
from numpy.typing import NDArray
from torch import Tensor, nn

from distill.common.calibration_methods import PARAMETERS, Method
from distill.models.deployed import DeployedModel
from distill.models.output import Output, crop_padding, pad_to_multiple

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)


class PixelwiseNetwork(nn.Module):
    """Logits that are linear in the pixel, so that every step around the network can be checked by hand."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.head = nn.Conv2d(3, 19, 1)

    def forward(self, image: Tensor) -> Output:
        logits = self.head(image)
        return Output(logits, logits, {})


def by_hand(
    network: PixelwiseNetwork, image: NDArray[np.uint8]
) -> tuple[NDArray[np.float64], dict[Method, NDArray[np.float64]]]:
    """Logits [H, W, 19] as they are, and calibrated by each of the methods."""
    normalised = (image / 255 - np.array(MEAN)) / np.array(STD)
    weight = network.head.weight.detach().numpy()[:, :, 0, 0]
    assert network.head.bias is not None
    logits = normalised @ weight.T + network.head.bias.detach().numpy()
    temperatures = np.array(CALIBRATIONS["class_temperature"].temperatures)[logits.argmax(-1)]
    adaptive, vector = CALIBRATIONS["adaptive_temperature"], CALIBRATIONS["vector"]
    confidence = scipy.special.softmax(logits, axis=-1).max(-1)
    adapted = np.array(adaptive.temperatures)[logits.argmax(-1)]
    adapted *= confidence**adaptive.exponent
    return logits, {
        "temperature": logits / 0.6,
        "class_temperature": logits / temperatures[..., None],
        "adaptive_temperature": logits / adapted[..., None],
        "vector": logits * np.array(vector.weights) + np.array(vector.biases),
    }


@pytest.mark.parametrize("method", PARAMETERS)
def test_answer_is_scipys_softmax(method: Method) -> None:
    network = PixelwiseNetwork()
    image = np.random.default_rng(0).integers(0, 256, (12, 20, 3), dtype=np.uint8)
    model = DeployedModel(network, MEAN, STD, 1.0, CALIBRATIONS[method])
    with torch.no_grad():
        mask, confidence, probability = model(torch.from_numpy(image))

    logits, calibrated = by_hand(network, image)
    softmax = scipy.special.softmax(calibrated[method], axis=-1)
    np.testing.assert_array_equal(mask.numpy(), calibrated[method].argmax(-1))
    np.testing.assert_allclose(probability.numpy(), softmax.max(-1), rtol=1e-5)
    np.testing.assert_array_equal(confidence.numpy(), np.round(255 * probability.numpy()))
    assert (mask.dtype, confidence.dtype, probability.dtype) == (torch.uint8, torch.uint8, torch.float32)
    assert (method == "vector") == (mask.numpy() != logits.argmax(-1)).any()  # the only one to change it


@pytest.mark.parametrize("method", PARAMETERS)
def test_scores_hold_the_probabilities_of_all_classes(method: Method) -> None:
    network = PixelwiseNetwork()
    image = np.random.default_rng(1).integers(0, 256, (6, 7, 3), dtype=np.uint8)
    with torch.no_grad():
        scores, mask = DeployedModel(network, MEAN, STD, 1.0, CALIBRATIONS[method]).scores(
            torch.from_numpy(image)
        )
    _, calibrated = by_hand(network, image)
    expected = scipy.special.softmax(calibrated[method], axis=-1)
    np.testing.assert_allclose(scores.softmax(0).movedim(0, -1), expected, rtol=1e-4, atol=1e-9)
    assert (scores.amax(0) == 0).all()
    torch.testing.assert_close(scores.argmax(0), mask)


def test_working_scale_resizes_for_the_network_and_back() -> None:
    seen = []

    class Recorder(PixelwiseNetwork):
        def forward(self, image: Tensor) -> Output:
            seen.append(tuple(image.shape))
            return super().forward(image)

    image = torch.full((100, 201, 3), 77, dtype=torch.uint8)
    model = DeployedModel(Recorder(), MEAN, STD, 0.8)
    logits = model.logits(image)
    assert seen == [(1, 3, 80, 161)]
    assert logits.shape == (1, 19, 100, 201)
    torch.testing.assert_close(logits, logits[..., :1, :1].expand_as(logits))  # a flat image stays flat


@pytest.mark.parametrize("size", [(1, 1), (97, 131), (128, 256), (1080, 1920)])
def test_padding_round_trip(size: tuple[int, int]) -> None:
    image = torch.rand(1, 3, *size) + 1
    padded, padding = pad_to_multiple(image, 128)
    assert all(int(side) % 128 == 0 for side in padded.shape[-2:])
    assert abs(padding[0] - padding[1]) <= 1
    assert abs(padding[2] - padding[3]) <= 1
    torch.testing.assert_close(crop_padding(padded, padding), image)
    assert float(padded.sum()) == pytest.approx(float(image.sum()), rel=1e-4)  # the rest is zero
