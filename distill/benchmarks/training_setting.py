"""What the training benchmark trains: two networks of random weights, and a batch of noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from distill.benchmarks.random_network import settle
from distill.data.border_weights import border_weights
from distill.models.build import build
from distill.models.catalogue import SWIFTNET
from distill.models.network import SegmentationNetwork
from kd_seg_ros.common.classes import IGNORE_ID, NUM_CLASSES


@dataclass(frozen=True)
class Setting:
    """The networks and the batch of the benchmark."""

    student: str
    """timm's name of the student's backbone."""
    teacher: str
    """timm's name of the teacher's backbone."""
    channels: int
    """Width of both pyramids."""
    size: int
    """Height and width of the crops."""
    batch: int
    """Images per step."""
    half: bool
    """Train in FP16, otherwise in FP32."""


GPU = Setting("resnet18", "convnext_large", 320, 864, 8, half=True)
CPU = Setting("resnet18", "convnext_atto", 64, 256, 2, half=False)


def make_network(backbone: str, setting: Setting, device: torch.device) -> SegmentationNetwork:
    """Make SwiftNet-FPN over a backbone of timm, with the statistics of noise in its BatchNorms."""
    network = build(SWIFTNET, NUM_CLASSES, backbone=backbone, channels=setting.channels)
    settle(network, torch.randn(2, 3, 128, 128))
    return network.to(device)


def make_batch(setting: Setting, device: torch.device) -> dict[str, Tensor]:
    """Make a batch as the training data are: image, labels, border weights and the pixels to distil on."""
    rng = np.random.default_rng(0)
    labels = np.stack([regions(setting.size, setting.size, rng) for _ in range(setting.batch)])
    image = torch.randn(setting.batch, 3, setting.size, setting.size)
    batch = {
        "image": image,
        "labels": torch.from_numpy(labels.astype(np.int64)),
        "weights": torch.from_numpy(np.stack([border_weights(each) for each in labels])),
        "distil": torch.from_numpy(labels != IGNORE_ID),
    }
    return {name: tensor.to(device) for name, tensor in batch.items()}


def regions(height: int, width: int, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Make labels uint8 [height, width] in squares of 32 pixels, some of them ignored."""
    squares = rng.choice([*range(NUM_CLASSES), IGNORE_ID], (-(-height // 32), -(-width // 32)))
    return np.kron(squares, np.ones((32, 32)))[:height, :width].astype(np.uint8)
