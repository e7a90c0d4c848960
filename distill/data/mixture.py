"""Several data sets joined into one, each with a share of every epoch.

With weights w_s (any positive numbers) and N draws per epoch, data set s gives round(N·w_s/Σw) of them, by
the method of largest remainders: they add up to N and none is off by a whole draw.

The frames of a data set are drawn in passes, each a new shuffle of the whole set. The passes follow one
another, and with c_s draws per epoch, epoch e takes draws e·c_s to (e + 1)·c_s − 1 of this sequence: a frame
is drawn again only when all others of its set have been drawn, whether an epoch needs a tenth of the set or
ten times the set. A draw is (pass, index) in place of (epoch, index), so that a frame drawn twice in one
epoch is augmented differently.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from distill.data.sampler import EpochSampler
from distill.datasets.frame import Frame, Rgb
from kd_seg_ros.common.errors import UserError


@dataclass(frozen=True)
class Part:
    """One data set of a mixture."""

    name: str
    """Names the data set in errors."""
    frames: Sequence[Frame]
    weight: float = 1.0
    """Share of an epoch, relative to the weights of the other parts."""
    mean: Rgb | None = None
    """Mean of R, G and B, 0…1, for this part's images; None: as its frames say, or else the transform."""
    std: Rgb | None = None
    """Standard deviation of R, G and B, 0…1, that goes with ``mean``."""


def mixed_frames(parts: Sequence[Part]) -> list[Frame]:
    """Join the frames of all parts, in order, each with its part's statistics.

    :raises UserError: if a part is empty or the labels of the parts differ in their number of classes.
    """
    counts: dict[int, str] = {}
    for part in parts:
        if not part.frames:
            raise UserError(f"data set {part.name} of the mixture has no images")
        counts |= {frame.num_classes: part.name for frame in part.frames if frame.labels is not None}
    if len(counts) > 1:
        given = ", ".join(f"{name} {count}" for count, name in counts.items())
        raise UserError(f"data sets of a mixture must have the same number of classes, not {given}")
    joined = []
    for part in parts:
        for frame in part.frames:
            joined.append(replace(frame, mean=part.mean or frame.mean, std=part.std or frame.std))
    return joined


def share_out(total: int, weights: Sequence[float]) -> list[int]:
    """Divide ``total`` draws in the proportion of ``weights``, by the method of largest remainders.

    :raises UserError: for a weight that is not positive, or so small that its part would get no draw.
    """
    if not all(0 < weight < float("inf") for weight in weights):
        raise UserError(f"weights of a mixture must be positive numbers, not {list(weights)}")
    # Everyone gets the whole part of the exact share; the draws left over go to the largest remainders.
    exact = total * np.array(weights) / sum(weights)
    counts = np.floor(exact).astype(int)
    most_missing = np.argsort(counts - exact, kind="stable")
    counts[most_missing[: total - counts.sum()]] += 1
    if not counts.all():
        weight = weights[int(counts.argmin())]
        raise UserError(f"weight {weight} of a mixture gives no draw among {total}: give more draws")
    return counts.tolist()


class MixtureSampler(EpochSampler):
    """Yields (pass, index) over the joined frames of several data sets.

    The order depends on the seed and the epoch alone. Processes share an epoch as in :class:`EpochSampler`.

    :param lengths: number of frames of each data set, in the order of :func:`mixed_frames`.
    :param weights: share of each data set, positive.
    :param draws: number of draws per epoch, over all processes (default: as many as there are frames).
    :raises UserError: see :func:`share_out`.
    :raises ValueError: if a data set is empty or the numbers of lengths and weights differ.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        weights: Sequence[float],
        draws: int | None = None,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        super().__init__(sum(lengths) if draws is None else draws, seed, True, rank, world_size)
        if len(lengths) != len(weights) or not all(lengths):
            raise ValueError(f"{list(weights)} are no weights for data sets of {list(lengths)} frames")
        self.lengths = list(lengths)
        self.counts = share_out(self.length, weights)

    def order(self, epoch: int) -> Sequence[tuple[int, int]]:
        """Return the draws of all processes in an epoch, in order, as (pass, index)."""
        # Each data set's indices are shifted to their place among the joined frames; pass numbers are not.
        offsets = np.cumsum([0, *self.lengths[:-1]])
        shifts = np.stack([np.zeros_like(offsets), offsets], axis=1)
        order = np.concatenate([self._draws(part, epoch) + shift for part, shift in enumerate(shifts)])
        np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(epoch,))).shuffle(order)
        return [(int(number), int(index)) for number, index in order]

    def _draws(self, part: int, epoch: int) -> npt.NDArray[np.int64]:
        """Return the draws of one data set in an epoch: int64 [count, 2] of pass and index within the set."""
        length, count = self.lengths[part], self.counts[part]
        # Draws start … end of the sequence of passes, and the passes that these lie in.
        start, end = epoch * count, (epoch + 1) * count
        passes = range(start // length, -(-end // length))
        drawn = [
            np.stack([np.full(length, number), self._shuffled(part, number)], axis=1) for number in passes
        ]
        skipped = passes.start * length
        return np.concatenate(drawn)[start - skipped : end - skipped]

    def _shuffled(self, part: int, number: int) -> npt.NDArray[np.int64]:
        """Return the order of one data set's frames in one pass."""
        # A key of three numbers: its stream differs from those of the epochs (one) and augmentations (two).
        seeds = np.random.SeedSequence(self.seed, spawn_key=(number, part, 0))
        return np.random.default_rng(seeds).permutation(self.lengths[part])
