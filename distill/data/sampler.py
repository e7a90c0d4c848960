"""The order of training frames: a permutation for each (seed, epoch), divided between processes."""

from collections.abc import Iterator, Sequence

import numpy as np
from torch.utils.data import Sampler


class EpochSampler(Sampler[tuple[int, int]]):
    """Yields (epoch, index) for every frame, shuffled again in each epoch.

    The epoch travels with the index, so that persistent workers, whose copy of the dataset never
    changes, augment every epoch differently and a resumed run exactly like an uninterrupted one.
    Lightning calls :meth:`set_epoch` before each epoch; a training loop without Lightning must do the same.

    Of W processes, rank r draws places r, r + W, r + 2W, … of the one order. With G/W frames per batch in
    each and ``drop_last``, their n-th batches together are the n-th batch of G frames of a single
    process. An incomplete last round of W frames is left out.

    :param length: number of frames.
    :param seed: seed of the order.
    :param shuffle: False keeps the frames in their order.
    :param rank: number of this process, 0…``world_size`` − 1.
    :param world_size: number of processes that share an epoch.
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
        """Set the epoch whose order the next iteration yields."""
        self.epoch = epoch

    def order(self, epoch: int) -> Sequence[tuple[int, int]]:
        """Return the draws of all processes in an epoch, in order, as (epoch, index)."""
        order = np.arange(self.length)
        if self.shuffle:
            np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(epoch,))).shuffle(order)
        return [(epoch, int(index)) for index in order]

    def __len__(self) -> int:
        return self.length // self.world_size

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(self.order(self.epoch)[self.rank :: self.world_size][: len(self)])
