"""The images that a trained model is measured on: its training's own validation split, or others."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from distill.config.data import SourceConfig
from distill.data.from_config import open_source, relocated
from distill.datasets.frame import Frame
from distill.datasets.listing import Listing
from distill.datasets.options import add_data_options, given_options, title_of
from distill.datasets.registry import DATA_SETS, check_options, open_data
from kd_seg_ros.common.errors import UserError


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options by which a command chooses the images to measure a model on."""
    add_data_options(parser, default="the training's own, and its val split", split="val")


def choose_frames(
    args: argparse.Namespace, own: SourceConfig | None, class_names: Sequence[str], labelled: bool = True
) -> list[Frame]:
    """List the images that the options of :func:`add_options` ask for.

    :param own: the first data set of the model's training; None if it is unknown.
    :param class_names: the model's classes, in the order of its channels.
    :param labelled: refuse images without labels.
    :raises UserError: for images that are missing, that have no labels, or labels of other classes.
    """
    listing = _own_data(args, own) if args.dataset is None else _named_data(args)
    skip = args.skip_unlabelled
    if args.dataset is None and own is not None:
        skip = skip or own.unlabelled != "refuse"
    frames = listing.complete(skip)[: args.limit]
    if labelled and frames[0].labels is None:
        raise UserError(f"{frames[0].image.parent} has no labels to compare with")
    if frames[0].labels and tuple(listing.class_names) != tuple(class_names):
        raise UserError(
            f"the data's classes ({', '.join(listing.class_names)}) are not the model's "
            f"({', '.join(class_names)}): --classes must name the model's, in its order"
        )
    return frames


def describe_images(args: argparse.Namespace, own: str) -> tuple[str, str]:
    """Return data set and split of the chosen images in words, for model cards and calibration files.

    :param own: the data of the model's training in words.
    :return: of a folder its name, and an empty split; of some weathers alone also which.
    """
    if args.dataset is not None and not DATA_SETS[args.dataset].splits:
        return f"the folder {title_of(args)}", ""
    weathers = f" ({', '.join(args.conditions)})" if args.conditions else ""
    return f"{args.dataset or own}{weathers}", args.split or "val"


def _own_data(args: argparse.Namespace, own: SourceConfig | None) -> Listing:
    """List the data set of the model's training, perhaps elsewhere or only some of its weathers."""
    if args.images or args.labels or args.classes:
        raise UserError("--images, --labels and --classes belong to --dataset folder")
    if own is None:
        raise UserError("the model does not say what it was trained on: give --dataset and its options")
    source = relocated(own, args.root)
    if args.conditions:
        check_options(own.dataset, ["conditions"], "--")
        source = source.model_copy(update={"conditions": tuple(args.conditions)})
    return open_source(source, args.split or "val")


def _named_data(args: argparse.Namespace) -> Listing:
    """List the data set that ``--dataset`` names; without ``--split`` its validation split."""
    split = args.split or ("val" if DATA_SETS[args.dataset].splits else None)
    return open_data(args.dataset, root=args.root, split=split, **given_options(args))
