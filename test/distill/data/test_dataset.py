"""The PyTorch dataset: one random generator for each (seed, epoch, index), whatever the workers do."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import torch
from acdc_tree import write_acdc
from torch.utils.data import DataLoader

from distill.data.dataset import SegmentationDataset, init_worker
from distill.data.sampler import EpochSampler
from distill.data.transforms import TrainTransform
from distill.datasets.acdc import list_acdc
from distill.datasets.frame import Sample


def draw(sample: Sample, rng: np.random.Generator) -> tuple[str, float]:
    return sample.path.name, rng.random()


def test_draws_depend_on_seed_epoch_and_index_alone(tmp_path: Path) -> None:
    write_acdc(tmp_path)
    frames = list_acdc(tmp_path, "train").complete()
    numbers = set()
    for seed, epoch, index in itertools.product((0, 1), repeat=3):
        _, number = SegmentationDataset(frames, draw, seed)[epoch, index]
        numbers.add(number)
    assert len(numbers) == 8
    dataset = SegmentationDataset(frames, draw, seed=1)
    assert dataset[1, 1] == SegmentationDataset(frames, draw, seed=1)[1, 1]
    assert dataset[1] == dataset[0, 1]  # a plain index is epoch 0


def epochs(root: Path, workers: int) -> list[dict[str, Any]]:
    """Two epochs through a loader whose workers live on."""
    frames = list_acdc(root, "train").complete()
    dataset = SegmentationDataset(frames, TrainTransform(crop=(16, 16)), seed=5)
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


def test_without_a_transform_the_samples_are_those_of_the_frames(tmp_path: Path) -> None:
    write_acdc(tmp_path, frames=1)
    frames = list_acdc(tmp_path, "val").complete()
    paths = [sample.path for sample in SegmentationDataset(frames)]
    assert paths == [frame.image for frame in frames]
