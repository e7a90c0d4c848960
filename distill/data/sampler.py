"""The order of training frames: a permutation that depends on (seed, epoch) alone."""

from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler


class EpochSampler(Sampler[tuple[int, int]]):
    """Yield (epoch, index) for every frame, shuffled anew each epoch.

    The epoch travels with the index, so that persistent workers, whose copy of the dataset never
    changes, augment every epoch differently and a resumed run exactly like an uninterrupted one.
    Lightning calls :meth:`set_epoch` before each epoch; a loop of one's own must do the same.
    """

    def __init__(self, length: int, seed: int = 0, shuffle: bool = True) -> None:
        self.length = length
        self.seed = seed
        self.shuffle = shuffle
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration yields."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[tuple[int, int]]:
        epoch, order = self.epoch, np.arange(self.length)
        if self.shuffle:
            np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(epoch,))).shuffle(order)
        return ((epoch, int(index)) for index in order)
