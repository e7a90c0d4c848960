"""Randomness of a dataset: one generator per (seed, epoch, index), whatever the workers do."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from acdc_tree import write_acdc, write_png
from PIL import Image
from torch.utils.data import DataLoader

from distill.data.sampler import EpochSampler
from distill.data.transforms import TrainTransform
from distill.datasets.acdc import AcdcDataset
from distill.datasets.frame import Frame, Sample, SegmentationDataset, init_worker, read_image, read_sample
from kd_seg_ros.common.errors import UserError


def draw(sample: Sample, rng: np.random.Generator) -> tuple[str, float]:
    return sample.path.name, rng.random()


def test_draws_depend_on_seed_epoch_and_index_alone(tmp_path: Path) -> None:
    write_acdc(tmp_path)
    numbers = {
        AcdcDataset(tmp_path, "train", transform=draw, seed=seed)[epoch, index][1]
        for seed in (0, 1)
        for epoch in (0, 1)
        for index in (0, 1)
    }
    assert len(numbers) == 8
    dataset = AcdcDataset(tmp_path, "train", transform=draw, seed=1)
    assert dataset[1, 1] == AcdcDataset(tmp_path, "train", transform=draw, seed=1)[1, 1]
    assert dataset[1] == dataset[0, 1]  # a plain index is epoch 0


def epochs(root: Path, workers: int) -> list[dict[str, Any]]:
    """Two epochs through a loader whose workers live on."""
    dataset = AcdcDataset(root, "train", transform=TrainTransform(crop=(16, 16)), seed=5)
    sampler = EpochSampler(len(dataset), seed=5)
    loader = DataLoader(
        dataset,
        batch_size=3,
        sampler=sampler,
        num_workers=workers,
        persistent_workers=workers > 0,
        worker_init_fn=init_worker if workers else None,
    )
    batches = []
    for epoch in range(2):
        sampler.set_epoch(epoch)
        batches += list(loader)
    return batches


def test_workers_change_nothing(tmp_path: Path) -> None:
    write_acdc(tmp_path, frames=1)
    alone, together = epochs(tmp_path, 0), epochs(tmp_path, 2)
    assert len(alone) == len(together) == 4
    for a, b in zip(alone, together, strict=True):
        assert a["path"] == b["path"]
        assert a["condition"] == b["condition"]
        for key in ("image", "labels", "weights"):
            assert torch.equal(a[key], b[key])


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P"])
def test_eight_bit_images_of_every_kind_are_read_as_rgb(tmp_path: Path, mode: str) -> None:
    grey = np.arange(60, dtype=np.uint8).reshape(6, 10) * 4
    Image.fromarray(grey).convert(mode).save(tmp_path / "image.png")
    np.testing.assert_array_equal(read_image(tmp_path / "image.png"), np.dstack([grey] * 3))


def test_labels_are_checked_against_the_frames_own_number_of_classes(tmp_path: Path) -> None:
    image, labels = tmp_path / "image.png", tmp_path / "labels.png"
    write_png(image, np.zeros((2, 3, 3), np.uint8))
    write_png(labels, np.array([[0, 10, 255], [5, 11, 7]], np.uint8))
    assert read_sample(Frame(image, labels, "normal", num_classes=12)).labels is not None
    with pytest.raises(UserError, match=r"label values 11: labels must be trainIds 0…10 or 255"):
        read_sample(Frame(image, labels, "normal", num_classes=11))


def test_statistics_and_missing_labels_reach_the_sample(tmp_path: Path) -> None:
    image = tmp_path / "image.png"
    write_png(image, np.zeros((2, 3, 3), np.uint8))
    frame = Frame(image, None, "normal", mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6))
    sample = SegmentationDataset([frame])[0]
    assert (sample.mean, sample.std, sample.labels) == (frame.mean, frame.std, None)


def test_an_image_of_an_absurd_size_is_an_error_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_png(tmp_path / "image.png", np.zeros((20, 30, 3), np.uint8))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(
        UserError, match=r"cannot read the image .*image.png: Image size \(600 pixels\) exceeds"
    ):
        read_image(tmp_path / "image.png")
