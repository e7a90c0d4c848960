"""Every architecture becomes a file that the vehicle can run and that does what the network does."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import onnx
import pytest
import tiny_model
import torch
from architectures import SMALLEST, small_network
from calibrations import CALIBRATIONS
from scipy.ndimage import zoom
from torch import Tensor, nn

from distill.benchmarks.models import MEAN, STD, export
from distill.common.calibration_methods import PARAMETERS, Method
from distill.evaluation.onnx_predictor import ScoringEngine, open_engine
from distill.export.agreement import measure_agreement
from distill.export.batch_check import answers_together
from distill.export.model_card import save_with_card
from distill.export.trace import to_dynamic_onnx, to_onnx
from distill.models.deployed import DeployedModel
from distill.models.network import Maps, SegmentationNetwork
from kd_seg_ros.common.classes import NUM_CLASSES
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.onnx_runtime import ort
from kd_seg_ros.inference.batched_run import BatchedRun, open_batched
from kd_seg_ros.inference.engine import Engine
from kd_seg_ros.inference.settings import SessionSettings

SIZE = (97, 131)
STEPS = 5


def smooth_images(count: int) -> np.ndarray:
    """Random images with patches of some 15 pixels, uint8 [N, H, W, 3]."""
    coarse = np.random.default_rng(0).uniform(0, 255, (count, 7, 9, 3))
    return zoom(coarse, (1, SIZE[0] / 7, SIZE[1] / 9, 1), order=1).astype(np.uint8)


def briefly_trained(network: SegmentationNetwork, images: np.ndarray) -> SegmentationNetwork:
    """Train until classes have regions: untrained logits are nearly equal, and half precision flips many."""
    inputs = (torch.from_numpy(images).permute(0, 3, 1, 2) / 255 - 0.5) / 0.5
    labels = torch.from_numpy(images[..., 0] // 64).long()
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    network.train()
    for _ in range(STEPS):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(inputs).logits, labels).backward()
        optimizer.step()
    return network.eval()


LARGER = ["pidnet_l"]
"""Networks that hold other blocks than the smallest of their class: PIDNet-L pools and fuses another way."""


@pytest.mark.parametrize("name", [*SMALLEST, *LARGER])
def test_every_architecture_exports_and_agrees(name: str, tmp_path: Path) -> None:
    images = smooth_images(2)
    torch.manual_seed(0)
    network = briefly_trained(small_network(name, NUM_CLASSES), images)
    model = DeployedModel(network, MEAN, STD, working_scale=1.0).eval()
    path = export(model, SIZE, tmp_path / "model.onnx", half=True)
    agreement = measure_agreement(model, Engine(path, "cpu"), [(image, None) for image in images])
    assert agreement.failures() == [], agreement.describe()
    # Half precision, nothing of training, no copies of shared weights.
    assert path.stat().st_size < 2.05 * network.deployed_parameters() + 500_000
    assert "Dropout" not in {node.op_type for node in onnx.load(path).graph.node}


class TinyNetwork(SegmentationNetwork):
    """Logits at stride 4 of an image padded to multiples of 32."""

    padding_multiple = 32
    strides = MappingProxyType({"logits": 4})

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.head = nn.Conv2d(3, NUM_CLASSES, 6, stride=4, padding=1)

    def maps(self, image: Tensor) -> Maps:
        logits = 3 * self.head(image)
        return Maps(logits, logits, {})


def check(found: list[Any], model: DeployedModel, image: np.ndarray) -> None:
    """Compare mask, confidence and probability of a file with those of the network."""
    with torch.no_grad():
        expected = [values.numpy() for values in model(torch.from_numpy(image))]
        best, second = model.scores(torch.from_numpy(image))[0].topk(2, dim=0).values.numpy()
    mask, confidence, probability = expected
    clear = best - second > 1e-4  # elsewhere two classes tie
    assert clear.mean() > 0.995
    np.testing.assert_array_equal(found[0][clear], mask[clear])
    np.testing.assert_allclose(found[2], probability, atol=2e-5)
    assert np.abs(found[1].astype(int) - confidence).max() <= 1  # where 255 p is half of an odd number
    assert len(np.unique(mask)) > 3


@pytest.mark.parametrize(
    ("method", "working_scale"), [*((method, 0.8) for method in PARAMETERS), ("vector", 1.0), ("vector", 0.5)]
)
def test_the_file_is_the_network_to_the_last_digits(method: Method, working_scale: float) -> None:
    model = DeployedModel(TinyNetwork(), MEAN, STD, working_scale, CALIBRATIONS[method]).eval()
    session = opened(to_onnx(model, SIZE, half=False))
    image = smooth_images(1)[0]
    found = session.run(["mask", "confidence", "probability"], {"image": image})
    check(found, model, image)


def opened(proto: onnx.ModelProto) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    return ort.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])


def test_a_bgr_image_is_the_same_image_bound_or_fed() -> None:
    session = opened(
        to_onnx(DeployedModel(TinyNetwork(), MEAN, (0.2, 0.3, 0.4), 1.0).eval(), SIZE, half=False)
    )
    assert [tensor.name for tensor in session.get_inputs()] == ["image"]
    (channels,) = session.get_overridable_initializers()
    assert (channels.name, channels.type, channels.shape) == ("channels", "tensor(int64)", [3])
    image = smooth_images(1)[0]
    expected = session.run(["mask", "probability"], {"image": image})
    bgr, order = np.ascontiguousarray(image[..., ::-1]), np.array([2, 1, 0])
    fed = session.run(["mask", "probability"], {"image": bgr, "channels": order})
    binding = session.io_binding()
    # bind_cpu_input would look for the name among the inputs without a default.
    for name, value in (("image", bgr), ("channels", order)):
        binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(value))
    for name in ("mask", "probability"):
        binding.bind_output(name)
    session.run_with_iobinding(binding)
    for found in (fed, binding.copy_outputs_to_cpu()):
        for values, wanted in zip(found, expected, strict=True):
            np.testing.assert_array_equal(values, wanted)
    assert (session.run(["mask"], {"image": bgr})[0] != expected[0]).any()


@pytest.fixture(scope="module")
def dynamic() -> dict[float, ort.InferenceSession]:
    """Files for any size, by working scale."""
    models = {
        s: DeployedModel(TinyNetwork(), MEAN, STD, s, CALIBRATIONS["vector"]).eval() for s in (1.0, 0.8)
    }
    return {scale: opened(to_dynamic_onnx(model, half=False)) for scale, model in models.items()}


@pytest.mark.parametrize("size", [(97, 131), (64, 96), (200, 33), (16, 16)])
@pytest.mark.parametrize("working_scale", [1.0, 0.8])
def test_one_file_for_any_size(
    dynamic: dict[float, ort.InferenceSession], working_scale: float, size: tuple[int, int]
) -> None:
    model = DeployedModel(TinyNetwork(), MEAN, STD, working_scale, CALIBRATIONS["vector"]).eval()
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    check(dynamic[working_scale].run(["mask", "confidence", "probability"], {"image": image}), model, image)


class FixedNetwork(TinyNetwork):
    """It computes with the numbers of its image's size."""

    def maps(self, image: Tensor) -> Maps:
        logits = torch.nn.functional.interpolate(super().maps(image).logits, int(image.shape[-1]) // 8)
        return Maps(logits, logits, {})


def test_a_network_of_fixed_size_is_refused() -> None:
    with pytest.raises(
        UserError, match=r"FixedNetwork .*: export it for the camera's size, without --dynamic"
    ):
        to_dynamic_onnx(DeployedModel(FixedNetwork(), MEAN, STD, 1.0).eval(), half=False)


def test_tracing_that_does_not_end_is_refused() -> None:
    said = r"TinyNetwork .* had not ended after 0.01 s .*: export it for .* more time with --trace-limit"
    with pytest.raises(UserError, match=said):
        to_dynamic_onnx(DeployedModel(TinyNetwork(), MEAN, STD, 1.0).eval(), half=False, limit=0.01)


class FixedNumber(TinyNetwork):
    """It computes with the number of its images."""

    def maps(self, image: Tensor) -> Maps:
        logits = super().maps(image).logits.reshape(int(image.shape[0]), NUM_CLASSES, -1, 1)
        return Maps(logits, logits, {})


def test_a_network_of_a_fixed_number_of_images_is_refused() -> None:
    with pytest.raises(UserError, match=r"FixedNumber .*: export it without --batch"):
        to_onnx(DeployedModel(FixedNumber(), MEAN, STD, 1.0).eval(), SIZE, half=False, batch=True)


@pytest.mark.parametrize("dynamic_size", [False, True])
def test_the_engine_runs_it_in_either_order_of_channels(dynamic_size: bool, tmp_path: Path) -> None:
    """Also as a file whose network takes any number of images per run: it takes one itself."""
    model = DeployedModel(TinyNetwork(), MEAN, (0.2, 0.3, 0.4), 1.0).eval()
    proto = to_dynamic_onnx(model, batch=True) if dynamic_size else to_onnx(model, SIZE, batch=True)
    save_with_card(proto, tiny_model.card(*SIZE, padding_multiple=32), tmp_path / "model.onnx")
    engine = open_engine(tmp_path / "model.onnx", "cpu")
    image = smooth_images(1)[0]
    rgb = engine.segment(image, probability=True)
    bgr = engine.segment(np.ascontiguousarray(image[..., ::-1]), probability=True, bgr=True)
    for found, expected in zip(bgr.arrays().values(), rgb.arrays().values(), strict=True):
        np.testing.assert_array_equal(found, expected)
    # All classes' scores are those that mask and confidence come from.
    assert isinstance(engine, ScoringEngine)
    assert rgb.probability is not None
    probabilities = engine.predict(image).exp()
    np.testing.assert_array_equal(probabilities.argmax(0).numpy(), rgb.mask)
    binding = open_batched(tmp_path / "model.onnx", SessionSettings("cpu")).binding
    assert isinstance(binding, BatchedRun)
    for answer in answers_together(binding, [image, image[::-1], image])[::2]:
        assert np.mean(answer.mask == rgb.mask) >= 0.998
    np.testing.assert_allclose(probabilities.amax(0).numpy(), rgb.probability, rtol=1e-5)
