"""The labelled images that a trained model is measured on: its training's own, or others."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from distill.config.data import SourceConfig
from distill.data.config_source import open_source
from distill.data.dataset import SegmentationDataset
from distill.datasets.registry import add_data_arguments, open_data
from kd_seg_ros.common.conditions import CONDITIONS
from kd_seg_ros.common.errors import UserError

AnySource = TypeVar("AnySource", bound=SourceConfig)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options by which a command chooses images."""
    add_data_arguments(parser, default="the training's own, and its val split")
    parser.add_argument(
        "--conditions", nargs="+", choices=CONDITIONS, help="only these (default: the training's)"
    )


def choose(
    args: argparse.Namespace, own: SourceConfig | None, class_names: Sequence[str], labelled: bool = True
) -> SegmentationDataset:
    """Open what the options of :func:`add_arguments` ask for.

    :param own: the first data set of the model's training; None if it is unknown.
    :param class_names: the model's.
    :param labelled: refuse images without labels.
    :raises UserError: for images that cannot be had, have no labels or labels of other classes.
    """
    if args.dataset is None:
        if args.images or args.labels or args.classes:
            raise UserError("--images, --labels and --classes belong to --dataset folder")
        if own is None:
            raise UserError("the model does not say what it was trained on: give --dataset and its options")
        update = {"conditions": tuple(args.conditions)} if args.conditions else {}
        source = relocated(own.model_copy(update=update), args.root)
        listing = open_source(source, args.split or "val")
    else:
        listing = open_data(
            args.dataset,
            root=args.root,
            split=args.split or (None if args.dataset == "folder" else "val"),
            conditions=args.conditions or CONDITIONS,
            images=args.images,
            labels=args.labels,
            classes=args.classes,
        )
    frames = listing.complete()
    if labelled and frames[0].labels is None:
        raise UserError(f"{frames[0].image.parent} has no labels to compare with")
    if frames[0].labels and tuple(listing.class_names) != tuple(class_names):
        raise UserError(
            f"the data's classes ({', '.join(listing.class_names)}) are not the model's "
            f"({', '.join(class_names)}): --classes must name the model's, in its order"
        )
    return SegmentationDataset(frames)


def relocated(source: AnySource, root: str | Path | None) -> AnySource:
    """Return the same data set at another place, if one is given."""
    return source if root is None else source.model_copy(update={"root": str(root)})
