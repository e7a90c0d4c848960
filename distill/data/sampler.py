"""The order of training frames: a permutation that depends on (seed, epoch) alone, shared out over ranks."""

from collections.abc import Iterator, Sequence

import numpy as np
from torch.utils.data import Sampler


class EpochSampler(Sampler[tuple[int, int]]):
    """Yield (epoch, index) for every frame, shuffled anew each epoch.

    The epoch travels with the index, so that persistent workers, whose copy of the dataset never
    changes, augment every epoch differently and a resumed run exactly like an uninterrupted one.
    Lightning calls :meth:`set_epoch` before each epoch; a loop of one's own must do the same.

    Of W processes, rank r draws places r, r + W, r + 2W, … of the one order. With G/W frames a batch in
    each and ``drop_last``, their n-th batches together are the n-th batch of G frames of a single
    process. An incomplete last round of W frames is left out.

    :param rank: which of the processes this is, 0…``world_size`` − 1.
    :param world_size: processes that share an epoch.
    :raises ValueError: for a rank that does not exist.
    """

    def __init__(
        self, length: int, seed: int = 0, shuffle: bool = True, rank: int = 0, world_size: int = 1
    ) -> None:
        if not 0 <= rank < world_size:
            raise ValueError(f"rank must be 0…{world_size - 1}, not {rank}")
        self.length = length
        self.seed = seed
        self.shuffle = shuffle
        self.rank = rank
        self.world_size = world_size
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration yields."""
        self.epoch = epoch

    def order(self, epoch: int) -> Sequence[tuple[int, int]]:
        """Return all ranks' draws of an epoch, in order."""
        order = np.arange(self.length)
        if self.shuffle:
            np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(epoch,))).shuffle(order)
        return [(epoch, int(index)) for index in order]

    def __len__(self) -> int:
        return self.length // self.world_size

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(self.order(self.epoch)[self.rank :: self.world_size][: len(self)])
