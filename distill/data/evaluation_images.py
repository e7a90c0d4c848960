"""The images that a trained model is measured on: its training's own validation split, or others."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from distill.config.data import DataConfig, SourceConfig
from distill.data.from_config import open_source, relocated
from distill.datasets.frame import Frame
from distill.datasets.listing import Listing
from distill.datasets.options import add_data_options, given_options
from distill.datasets.registry import DATA_SETS, check_options, open_data
from distill.datasets.training_images import TrainingImages
from kd_seg_ros.common.errors import UserError

_logger = logging.getLogger(__name__)


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
    frames = listing.complete(skip)
    listing.log_left_out(frames)
    frames = frames[: args.limit]
    if labelled and frames[0].labels is None:
        raise UserError(f"{frames[0].image.parent} has no labels to compare with")
    if frames[0].labels and tuple(listing.class_names) != tuple(class_names):
        raise UserError(
            f"the data's classes ({', '.join(listing.class_names)}) are not the model's "
            f"({', '.join(class_names)}): --classes must name the model's, in its order"
        )
    return frames


def describe_images(
    args: argparse.Namespace, own: DataConfig | None, trained_on: int | None
) -> dict[str, Any]:
    """Say which images :func:`choose_frames` chooses, as files of results hold it.

    :param own: the data of the model's training; None if they are unknown.
    :param trained_on: what :func:`count_trained_on` has found.
    :return: ``dataset`` and ``split`` in words, ``source``, the data set's kind and folder, such as
        "acdc in cameras", and ``trained_on``.
    """
    kind, folder = args.dataset, args.root or args.images
    if own is not None and kind is None:
        kind, folder = own.dataset, folder or own.root
    parts = Path(folder or "").expanduser().absolute().parts
    # A folder of images is often called "images" or "val": the one above it says more.
    place = "/".join(parts[-2:]) if args.images else parts[-1]
    weathers = f" ({', '.join(args.conditions)})" if args.conditions else ""
    return {
        "dataset": args.dataset or (own.summary if own is not None else "unknown"),
        "split": args.split or "val",
        "source": f"{kind} in {place}{weathers}",
        "trained_on": trained_on,
    }


def count_trained_on(trained: TrainingImages | None, frames: Sequence[Frame], consequence: str) -> int | None:
    """Return how many of the images to measure on the model was trained on; log a warning if it is any.

    Copies and links of the training images are recognised by their content.

    :param trained: the model's training images; None: not known.
    :param consequence: what follows from it, to end the warning with.
    :return: None if it is not known.
    """
    if trained is None:
        return None
    found = trained.among(frames)
    if found:
        _logger.warning("%d of the %d images were trained on: %s", found, len(frames), consequence)
    return found


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
