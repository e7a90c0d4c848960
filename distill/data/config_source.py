"""From the data sets of a configuration to frames."""

from __future__ import annotations

from pathlib import Path

from distill.config.data import DataConfig, SourceConfig
from distill.data.mixture import MixtureSampler, Part
from distill.data.sampler import EpochSampler
from distill.datasets.folder import list_folder, unlabelled_frames
from distill.datasets.listing import Listing
from distill.datasets.registry import open_data


def open_source(source: SourceConfig, split: str) -> Listing:
    """List a split of one data set.

    :param split: train or val.
    :raises UserError: naming the folder or file that is missing.
    """
    root = Path(source.root).expanduser()
    if source.dataset != "folder":
        return open_data(source.dataset, root=root, split=split, conditions=source.conditions)
    images = root / source.images.replace("{split}", split)
    classes = source.class_map
    if source.labels is None or classes is None:
        return Listing(unlabelled_frames(images))
    labels = root / source.labels.replace("{split}", split)
    return list_folder(images, labels, classes.names, classes.class_names, label_suffix=classes.label_suffix)


def training_parts(data: DataConfig) -> list[Part]:
    """List the training frames of every data set."""
    return [Part(s.root, open_source(s, "train").complete(), s.weight, s.mean, s.std) for s in data.sources]


def training_sampler(
    data: DataConfig, parts: list[Part], seed: int, rank: int = 0, world_size: int = 1
) -> EpochSampler:
    """Return the order in which one of ``world_size`` processes draws the joined frames of all parts."""
    lengths = [len(part.frames) for part in parts]
    if len(parts) == 1:
        return EpochSampler(lengths[0], seed, rank=rank, world_size=world_size)
    return MixtureSampler(lengths, [part.weight for part in parts], data.draws, seed, rank, world_size)
