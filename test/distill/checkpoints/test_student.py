"""Starting from one's own checkpoint: the same classes, others, another network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from architectures import SMALL_BACKBONE

from distill.checkpoints.checkpoint_file import save_checkpoint
from distill.checkpoints.student import start_from
from distill.models.build import build
from distill.models.network import SegmentationNetwork
from kd_seg_ros.common.errors import UserError

CLASSES = ("sky", "road", "car")


def network(seed: int, classes: int = 3, channels: int = 8) -> SegmentationNetwork:
    torch.manual_seed(seed)
    return build("swiftnet", classes, backbone=SMALL_BACKBONE, channels=channels)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    values: dict[str, Any] = {
        "name": "before",
        "data": {"root": ".", "dataset": "folder", "classes": {"classes": [*CLASSES], "values": {0: "sky"}}},
        "student": {"backbone": SMALL_BACKBONE, "channels": 8},
    }
    state = {f"student.{name}": tensor for name, tensor in network(1).state_dict().items()}
    path = tmp_path / "before.ckpt"
    save_checkpoint({"hyper_parameters": {"config": values}, "state_dict": state}, path)
    return path


def test_the_same_classes_start_with_all_weights(checkpoint: Path) -> None:
    started = network(2)
    start_from(started, checkpoint, CLASSES)
    for name, tensor in network(1).state_dict().items():
        assert torch.equal(started.state_dict()[name], tensor), name


@pytest.mark.parametrize("names", [("road", "sky", "car"), ("sky", "road", "car", "bus")])
def test_other_classes_or_another_order_start_with_a_fresh_head(
    names: tuple[str, ...], checkpoint: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    started, fresh, trained = (
        network(2, len(names)),
        network(2, len(names)).state_dict(),
        network(1).state_dict(),
    )
    start_from(started, checkpoint, names)
    for name, tensor in started.state_dict().items():
        assert torch.equal(tensor, (fresh if name.startswith("head.2.") else trained)[name]), name
    assert "all weights but the heads', because it knows other classes (sky, road, car)" in caplog.text


def test_another_network_is_refused(checkpoint: Path) -> None:
    with pytest.raises(UserError, match=r"weights for the student, from .* do not fit"):
        start_from(network(2, channels=16), checkpoint, CLASSES)


def test_weights_that_are_not_finite_are_refused(checkpoint: Path) -> None:
    content = torch.load(checkpoint, weights_only=True)
    content["state_dict"]["student.head.2.weight"][0, 0] = float("nan")
    save_checkpoint(content, checkpoint)
    with pytest.raises(UserError, match=r"hold NaN or infinity in head\.2\.weight"):
        start_from(network(2), checkpoint, CLASSES)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    save_checkpoint({"weights": torch.zeros(2)}, tmp_path / "other.ckpt")
    with pytest.raises(UserError, match="is no checkpoint of `kd_seg fit`"):
        start_from(network(2), tmp_path / "other.ckpt", CLASSES)
