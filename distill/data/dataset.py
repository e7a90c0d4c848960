"""Frames as a PyTorch dataset, with random numbers that do not depend on the worker that draws them.

Each sample is handed to its transform with a random generator that depends on (seed, epoch, index) alone:
whatever the number of workers, and resumed or not, the same epoch gives the same augmentations. The epoch
comes with the index from :class:`distill.data.sampler.EpochSampler`.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import cv2
import numpy as np
from torch.utils.data import Dataset

from distill.datasets.frame import Frame, Sample, read_sample


class SegmentationDataset(Dataset):
    """Frames that are read from disk, checked, and passed through ``transform(sample, rng)`` if there is one.

    Indexed by a frame's number (epoch 0) or by a pair (epoch, number). Reading raises UserError as
    :func:`distill.datasets.frame.read_sample` does.

    :param frames: the images and their labels, for example ``list_acdc(root, "train").complete()``.
    :param transform: called with a :class:`Sample` and its random generator; None: samples as they are.
    :param seed: seed of the random generators.
    """

    def __init__(
        self,
        frames: Sequence[Frame],
        transform: Callable[[Sample, np.random.Generator], Any] | None = None,
        seed: int = 0,
    ) -> None:
        self.frames = list(frames)
        self.transform = transform
        self.seed = seed

    def __len__(self) -> int:
        return len(self.frames)

    def __iter__(self) -> Iterator[Any]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, key: int | tuple[int, int]) -> Any:
        epoch, index = key if isinstance(key, tuple) else (0, key)
        sample = read_sample(self.frames[index])
        if self.transform is None:
            return sample
        rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(epoch, index)))
        return self.transform(sample, rng)


def init_worker(_worker_id: int) -> None:
    """Keep OpenCV to one thread in a DataLoader worker (``worker_init_fn``): the workers share the cores."""
    cv2.setNumThreads(0)
