"""Every architecture becomes a file that the vehicle can run and that does what the network does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from scipy.ndimage import zoom

from distill.agreement import measure_agreement
from distill.benchmarks.models import MEAN, STD, export
from distill.models.deployed import DeployedModel
from distill.models.hrnet import HrNetV2
from distill.models.network import SegmentationNetwork
from distill.models.pidnet import PidNet
from distill.models.segformer import SegFormer
from distill.models.sfnet import SfNet
from distill.models.sfnet_lite import SfNetLite
from distill.models.swiftnet import SwiftNet
from kd_seg_ros.classes import NUM_CLASSES
from kd_seg_ros.engine import Engine

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


ARCHITECTURES: dict[str, Callable[[], SegmentationNetwork]] = {
    "swiftnet": lambda: SwiftNet("resnet10t", NUM_CLASSES, channels=64),
    "pidnet_s": lambda: PidNet("s", NUM_CLASSES),
    "pidnet_l": lambda: PidNet("l", NUM_CLASSES),  # its pooling and fusion differ from those of S
    "sfnet": lambda: SfNet(NUM_CLASSES),
    "sfnet_lite": lambda: SfNetLite(NUM_CLASSES),
    "segformer": lambda: SegFormer(0, NUM_CLASSES),
    "hrnet": lambda: HrNetV2("hrnet_w18_small", NUM_CLASSES),
}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_exports_and_agrees(name: str, tmp_path: Path) -> None:
    images = smooth_images(2)
    torch.manual_seed(0)
    network = briefly_trained(ARCHITECTURES[name](), images)
    model = DeployedModel(network, MEAN, STD, working_scale=1.0).eval()
    path = export(model, SIZE, tmp_path / "model.onnx", half=True)
    agreement = measure_agreement(model, Engine(path, "cpu"), [(image, None) for image in images])
    assert agreement.failures() == [], agreement.describe()
    # Half precision, nothing of training, no copies of shared weights.
    assert path.stat().st_size < 2.05 * network.deployed_parameters() + 500_000
    assert "Dropout" not in {node.op_type for node in onnx.load(path).graph.node}
