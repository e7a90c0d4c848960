"""A data set by its name: the one choice that commands and training share."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from distill.datasets.acdc import list_acdc
from distill.datasets.bdd10k import list_bdd10k
from distill.datasets.cityscapes import list_cityscapes
from distill.datasets.class_map import read_class_map
from distill.datasets.folder import list_folder, unlabelled_frames
from distill.datasets.listing import SPLITS, Listing
from kd_seg_ros.common.conditions import CONDITIONS
from kd_seg_ros.common.errors import UserError

NAMES: Final = {"acdc": "ACDC", "cityscapes": "Cityscapes", "bdd10k": "BDD10K"}
DATA_SETS: Final[tuple[str, ...]] = (*NAMES, "folder")


def open_data(
    dataset: str,
    *,
    root: Path | None = None,
    split: str | None = None,
    conditions: Sequence[str] = CONDITIONS,
    images: Path | None = None,
    labels: Path | None = None,
    classes: Path | None = None,
) -> Listing:
    """List the images and labels of a data set.

    :param dataset: one of :data:`DATA_SETS`.
    :param root: its folder; for all but ``folder``, as is ``split``.
    :param split: train, val or test (default: train).
    :param conditions: for ``acdc`` alone.
    :param images: the images of a ``folder``.
    :param labels: their labels; without them the images are unlabelled.
    :param classes: the class map of the labels, see :mod:`distill.datasets.class_map`.
    :raises UserError: naming the option, folder or file that is missing.
    """
    if dataset == "folder":
        if root or split:
            raise UserError("data set folder takes --images and --labels, no --root and no --split")
        return _open_folder(images, labels, classes)
    if dataset not in DATA_SETS:
        raise UserError(f"unknown data set {dataset!r}: choose from {', '.join(DATA_SETS)}")
    if images or labels or classes:
        raise UserError(f"data set {dataset} takes --root; --images, --labels, --classes are for 'folder'")
    if root is None:
        raise UserError(f"data set {dataset} needs its root folder: give --root")
    split = split or "train"
    if dataset == "acdc":
        return list_acdc(root, split, conditions)
    return list_cityscapes(root, split) if dataset == "cityscapes" else list_bdd10k(root, split)


def _open_folder(images: Path | None, labels: Path | None, classes: Path | None) -> Listing:
    if images is None:
        raise UserError("data set folder needs its image folder: give --images")
    if (labels is None) != (classes is None):
        raise UserError(
            "data set folder: --labels and --classes go together; leave both out for images alone"
        )
    if labels is None or classes is None:
        return Listing(unlabelled_frames(images))
    chosen = read_class_map(classes)
    return list_folder(images, labels, chosen.names, chosen.class_names, label_suffix=chosen.label_suffix)


def add_data_arguments(parser: argparse.ArgumentParser, default: str | None = None) -> None:
    """Declare the options by which a command chooses a data set.

    :param default: what it does without ``--dataset``, in words; None: the option is required.
    """
    split = "val" if default else "train"
    parser.add_argument(
        "--dataset", choices=DATA_SETS, required=default is None, help=default and f"default: {default}"
    )
    parser.add_argument("--root", type=Path, metavar="DIR", help="folder of acdc, cityscapes or bdd10k")
    parser.add_argument(
        "--split",
        choices=SPLITS,
        help=f"of acdc, cityscapes or bdd10k (default: {split})",
    )
    parser.add_argument("--images", type=Path, metavar="DIR", help="images of a folder, and below it")
    parser.add_argument(
        "--labels", type=Path, metavar="DIR", help="labels of a folder, called as the images are"
    )
    parser.add_argument(
        "--classes",
        type=Path,
        metavar="FILE",
        help="what a folder's labels mean, in YAML: 'values: {0: road, 1: null}' or "
        "'colours: {128 64 128: road}', and 'classes: [...]' unless they are the 19 of Cityscapes",
    )


def data_from(args: argparse.Namespace) -> Listing:
    """Open the data set that the options of :func:`add_data_arguments` name."""
    return open_data(
        args.dataset,
        root=args.root,
        split=args.split,
        images=args.images,
        labels=args.labels,
        classes=args.classes,
    )


def title_of(args: argparse.Namespace) -> str:
    """Name the chosen data set for a person."""
    if args.dataset == "folder":
        return "/".join(args.images.resolve().parts[-3:])
    return f"{NAMES[args.dataset]} {args.split or 'train'}"
