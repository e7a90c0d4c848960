"""From the data sets that a configuration names to their frames and the order of training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from distill.config.data import DataConfig, SourceConfig
from distill.data.mixture import MixtureSampler, Part
from distill.data.sampler import EpochSampler
from distill.datasets.frame import Frame
from distill.datasets.listing import Listing
from distill.datasets.registry import DATA_SETS

AnySource = TypeVar("AnySource", bound=SourceConfig)


def open_source(source: SourceConfig, split: str) -> Listing:
    """List the images and labels of one split of a data set.

    :param split: train, val or, where the data set has one, test.
    :raises UserError: naming the folder or file that is missing.
    """
    root = Path(source.root).expanduser()
    return DATA_SETS[source.dataset].lister(root, split, **source.options)


def frames_of(source: SourceConfig, split: str) -> list[Frame]:
    """List the frames of one split of a data set that its source keeps and, in training, lets through.

    :raises UserError: naming the folder or file that is missing.
    """
    return limited(kept_frames(open_source(source, split), source, split), source, split)


def kept_frames(listing: Listing, source: SourceConfig, split: str) -> list[Frame]:
    """Return the frames of a split with and without labels, as ``unlabelled`` of their source says.

    Images without labels are kept in training alone: they cannot be validated on. All of them are returned:
    ``limit`` of their source is :func:`limited`'s.

    :raises UserError: naming labels that are missing and must not be.
    """
    if source.unlabelled == "keep" and split == source.split:
        return listing.frames
    return listing.complete(skip_unlabelled=source.unlabelled != "refuse")


def limited(frames: list[Frame], source: SourceConfig, split: str) -> list[Frame]:
    """Return at most ``limit`` of a split's frames where its source trains on that split, else all."""
    if source.limit is None or split != source.split:
        return frames
    return spread_evenly(frames, source.limit)


def spread_evenly(frames: Sequence[Frame], count: int) -> list[Frame]:
    """Return at most ``count`` frames, spread evenly over all."""
    if len(frames) <= count:
        return list(frames)
    return [frames[number * len(frames) // count] for number in range(count)]


def relocated(source: AnySource, root: str | Path | None) -> AnySource:
    """Return the same data set with another root folder; with None, unchanged."""
    return source if root is None else source.model_copy(update={"root": str(root)})


def training_parts(data: DataConfig) -> list[Part]:
    """List the training frames of every data set, each with its weight, mean and std; raises UserError."""
    parts = []
    for source in data.sources:
        frames = frames_of(source, source.split)
        parts.append(Part(source.root, frames, source.weight, source.mean, source.std))
    return parts


def training_sampler(
    data: DataConfig, parts: list[Part], seed: int, rank: int = 0, world_size: int = 1
) -> EpochSampler:
    """Return the order in which one of ``world_size`` processes draws the joined frames of all parts."""
    lengths = [len(part.frames) for part in parts]
    if len(parts) == 1 and data.draws is None:
        return EpochSampler(lengths[0], seed, rank=rank, world_size=world_size)
    return MixtureSampler(lengths, [part.weight for part in parts], data.draws, seed, rank, world_size)
