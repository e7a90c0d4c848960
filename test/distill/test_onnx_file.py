"""Every architecture becomes a file that the vehicle can run and that does what the network does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from scipy.ndimage import zoom

from distill.agreement import measure_agreement
from distill.benchmarks.models import MEAN, STD, export
from distill.models.build import build
from distill.models.deployed import DeployedModel
from distill.models.network import SegmentationNetwork
from kd_seg_ros.classes import NUM_CLASSES
from kd_seg_ros.engine import Engine

SIZE = (97, 131)


def smooth_images(count: int) -> np.ndarray:
    """Random images with patches of some 15 pixels, uint8 [N, H, W, 3]."""
    coarse = np.random.default_rng(0).uniform(0, 255, (count, 7, 9, 3))
    return zoom(coarse, (1, SIZE[0] / 7, SIZE[1] / 9, 1), order=1).astype(np.uint8)


def briefly_trained(name: str, images: np.ndarray) -> SegmentationNetwork:
    """Train until classes have regions: untrained logits are nearly equal, and half precision flips many."""
    torch.manual_seed(0)
    network = build(name, NUM_CLASSES).train()
    inputs = (torch.from_numpy(images).permute(0, 3, 1, 2) / 255 - 0.5) / 0.5
    labels = torch.from_numpy(images[..., 0] // 64).long()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    for _ in range(12):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(inputs).logits, labels).backward()
        optimizer.step()
    return network.eval()


@pytest.mark.parametrize(
    "name",
    ["swiftnet_resnet18", "pidnet_s", "pidnet_l", "sfnet_resnet18", "sfnet_lite_resnet18", "segformer_b0"],
)
def test_every_architecture_exports_and_agrees(name: str, tmp_path: Path) -> None:
    images = smooth_images(4)
    network = briefly_trained(name, images)
    model = DeployedModel(network, MEAN, STD, working_scale=1.0).eval()
    path = export(model, SIZE, tmp_path / "model.onnx", half=True)
    agreement = measure_agreement(model, Engine(path, "cpu"), [(image, None) for image in images])
    assert agreement.failures() == [], agreement.describe()
    # Half precision, nothing of training, no copies of shared weights.
    assert path.stat().st_size < 2.05 * network.deployed_parameters() + 500_000
    assert "Dropout" not in {node.op_type for node in onnx.load(path).graph.node}
