"""Every kind of data set by its name: the one table that configuration, commands, docs and tests share.

A new data set is a file with its lister in this folder and a line in :data:`DATA_SETS`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from distill.datasets.acdc import ACDC_MEAN, ACDC_STD, list_acdc
from distill.datasets.bdd10k import BDD10K_MEAN, BDD10K_STD, list_bdd10k
from distill.datasets.cityscapes import CITYSCAPES_MEAN, CITYSCAPES_STD, list_cityscapes
from distill.datasets.folder import IMAGENET_MEAN, IMAGENET_STD, list_folder_split
from distill.datasets.frame import Rgb
from distill.datasets.listing import SPLITS, Listing
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.suggest import did_you_mean


@dataclass(frozen=True)
class DataSet:
    """One kind of data set: how it is listed, and what a configuration may say about it."""

    title: str
    """Name of the data set as its authors write it."""
    lister: Callable[..., Listing]
    """Called as ``lister(root, split, **options)``; raises UserError naming the folder that is missing."""
    mean: Rgb
    """Mean of the R, G and B values of its images, 0…1."""
    std: Rgb
    """Standard deviation of the R, G and B values of its images, 0…1."""
    options: tuple[str, ...] = ()
    """Configuration keys and command-line options that belong to this kind of data set."""
    splits: tuple[str, ...] = SPLITS
    """Splits that its layout tells apart; empty if a command line names the very folders instead."""


DATA_SETS: Final[Mapping[str, DataSet]] = {
    "acdc": DataSet("ACDC", list_acdc, ACDC_MEAN, ACDC_STD, options=("conditions",)),
    "cityscapes": DataSet("Cityscapes", list_cityscapes, CITYSCAPES_MEAN, CITYSCAPES_STD),
    "bdd10k": DataSet("BDD10K", list_bdd10k, BDD10K_MEAN, BDD10K_STD),
    "folder": DataSet(
        "folder",
        list_folder_split,
        IMAGENET_MEAN,
        IMAGENET_STD,
        options=("images", "labels", "classes", "topic"),
        splits=(),
    ),
}
"""The kinds of data sets, by the name that ``data.dataset`` and ``--dataset`` take."""


def find_data_set(name: str) -> DataSet:
    """Return the data set of this name; raises UserError that lists all names and the nearest one."""
    if name not in DATA_SETS:
        raise UserError(
            f"unknown data set {name!r}: choose from {', '.join(DATA_SETS)}{did_you_mean(name, DATA_SETS)}"
        )
    return DATA_SETS[name]


def check_options(name: str, given: Iterable[str], prefix: str = "") -> None:
    """Raise UserError if one of the ``given`` options belongs to other data sets than ``name``.

    :param prefix: stands before the option in the error message, "--" for the command line.
    """
    for option in given:
        if option in DATA_SETS[name].options:
            continue
        owners = [repr(other) for other, data_set in DATA_SETS.items() if option in data_set.options]
        raise UserError(f"{prefix}{option} belongs to data set {' or '.join(owners)}, not {name!r}")


def open_data(dataset: str, *, root: Path | None = None, split: str | None = None, **options: Any) -> Listing:
    """List the images and labels of a data set, as a command line names it.

    :param dataset: one of :data:`DATA_SETS`.
    :param root: the data set's folder, needed by all that have splits.
    :param split: one of the data set's splits (default: train).
    :param options: options of the data set, see :attr:`DataSet.options`; None counts as not given.
    :raises UserError: naming the option, folder or file that is missing.
    """
    data_set = find_data_set(dataset)
    given = {option: value for option, value in options.items() if value is not None}
    check_options(dataset, given, "--")
    if data_set.splits:
        if root is None:
            raise UserError(f"data set {dataset} needs its root folder: give --root")
        return data_set.lister(root, split or "train", **given)
    if root is not None or split is not None:
        raise UserError(f"data set {dataset} takes --images and --labels, no --root and no --split")
    return data_set.lister(None, None, **given)
