"""What is checked before a run's folder is touched."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from architectures import SMALL_BACKBONE
from PIL import Image
from torch import Tensor, nn

from distill.checkpoints.checkpoint_file import save_checkpoint
from distill.config import Config, TeacherConfig, parse_config
from distill.datasets.frame import Frame
from distill.datasets.training_images import TrainingImages
from distill.models.build import build
from distill.training import preflight
from distill.training.preflight import (
    check_accumulation,
    check_image_sizes,
    check_seen_images,
    check_shared_memory,
)
from kd_seg_ros.common.errors import UserError


def config(**data: Any) -> Config:
    values = {
        "name": "x",
        "data": {"root": ".", "crop": [64, 64], "working_scale": 1.0, "workers": 4} | data,
        "student": {"backbone": SMALL_BACKBONE},
        "training": {"batch_size": 8, "accumulate": 4},
    }
    return parse_config(values, "here")


@pytest.fixture
def frame(tmp_path: Path) -> Frame:
    path = tmp_path / "image.png"
    Image.fromarray(np.zeros((48, 80, 3), np.uint8)).save(path)
    return Frame(path, None, "fog")


class FixedSize(nn.Module):
    """A network that takes images of 64×64 pixels only, as backbones of windows and positions do."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 2, 1)

    def forward(self, image: Tensor) -> Tensor:
        assert image.shape[2:] == (64, 64), f"Input height ({image.shape[2]}) doesn't match model (64)."
        result: Tensor = self.layer(image)
        return result


def test_networks_of_a_fixed_size_are_refused(frame: Frame) -> None:
    network: Any = FixedSize()
    with pytest.raises(UserError, match=r"the images of validation, 80×48 pixels \(Input height \(48\)"):
        check_image_sizes(network, config(), frame)
    with pytest.raises(UserError, match=r"the crops of training, 128×96 pixels"):
        check_image_sizes(network, config(crop=[96, 128]), frame)
    assert network.training


def test_other_networks_take_any_size_and_stay_as_they_are(frame: Frame) -> None:
    network = build("swiftnet", 19, backbone=SMALL_BACKBONE, channels=8).train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    check_image_sizes(network, config(crop=[97, 131]), frame)
    assert network.training
    after = network.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


def test_gradients_of_more_batches_than_there_are(caplog: pytest.LogCaptureFixture) -> None:
    check_accumulation(config(), 4)
    assert not caplog.messages
    check_accumulation(config(), 3)
    assert "accumulate of 4 is more than the 3 batches of an epoch" in caplog.messages[0]


@pytest.mark.parametrize("seen", [True, False])
def test_a_start_or_a_teacher_that_has_seen_validation_images_is_told(
    seen: bool, frame: Frame, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "other.png").write_text("another image")
    frames = [frame, Frame(tmp_path / "other.png", None, "fog")]
    images = TrainingImages.of(frames[:1] if seen else [])
    path = tmp_path / "a.ckpt"
    save_checkpoint({"callbacks": {"training_images": images.document()}}, path)
    plain = config()
    student = plain.student.model_copy(update={"checkpoint": str(path)})
    teacher = TeacherConfig(checkpoint=str(path))
    check_seen_images(plain, frames)
    check_seen_images(plain.model_copy(update={"student": student, "teacher": teacher}), frames)
    told = "was trained on 1 of the 2 validation images"
    assert [told in message for message in caplog.messages] == [True] * (2 * seen)


@pytest.mark.parametrize(("free", "fitting"), [(10, 3), (1, 0)])
def test_shared_memory_that_is_too_small(
    free: int, fitting: int, frame: Frame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch of 8 crops of 64×64 pixels takes 8·64·64·25 bytes; each worker prepares two."""
    batch = 8 * 64 * 64 * 25
    monkeypatch.setattr(preflight, "SHARED_MEMORY", Path("/"))
    usage = SimpleNamespace(free=int((free / 3) * 2 * batch) + 1)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    with pytest.raises(UserError, match=rf"--shm-size=1g .* give --data.workers {fitting}"):
        check_shared_memory(config(), 1, frame)
    check_shared_memory(config(workers=fitting), 1, frame)
    usage.free = 4 * 2 * batch
    check_shared_memory(config(), 1, frame)
    check_shared_memory(
        config(), 2, frame
    )  # the same images, divided between two processes with workers each


def test_shared_memory_that_is_too_small_for_a_whole_image(
    frame: Frame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one worker of validation prepares two images of 3 bytes a pixel, with a byte of labels each."""
    monkeypatch.setattr(preflight, "SHARED_MEMORY", Path("/"))
    usage = SimpleNamespace(free=2 * 4 * 2000 * 3000 - 1)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    large = tmp_path / "large.png"
    Image.new("RGB", (3000, 2000)).save(large)
    check_shared_memory(config(), 1, frame)
    with pytest.raises(UserError, match=r"need 46 MiB of shared memory.* give --data.workers 0"):
        check_shared_memory(config(), 1, Frame(large, None, "fog"))
    check_shared_memory(config(workers=0), 1, Frame(large, None, "fog"))
    usage.free += 1
    check_shared_memory(config(), 1, Frame(large, None, "fog"))
