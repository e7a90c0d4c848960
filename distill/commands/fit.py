"""``kd_seg fit``: trains a student as its configuration says."""

from __future__ import annotations

import argparse
from pathlib import Path

from distill.config import load_config
from distill.config.overrides import accept_overrides, parse_overrides
from distill.config.shipped import CONFIG_HELP
from kd_seg_ros.common.logs import progress_shown


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options; every key of the configuration is one too."""
    parser.add_argument("--config", required=True, metavar="EXPERIMENT", help=CONFIG_HELP)
    parser.add_argument("--resume", action="store_true", help="continue the run from its last checkpoint")
    parser.add_argument("--overwrite", action="store_true", help="delete the earlier run in its folder")
    parser.add_argument(
        "--cache-teacher",
        type=Path,
        metavar="DIR",
        help="keep the teacher's outputs here (short for --teacher.cache); for images that are not augmented",
    )
    accept_overrides(parser)


def run(args: argparse.Namespace) -> int:
    """Train and print where the best checkpoint is."""
    # Imported only now: PyTorch takes seconds to load, which --help does not need.
    from lightning.pytorch.utilities import rank_zero_only

    from distill.training.trainer import fit

    overrides = parse_overrides(args.overrides)
    if args.cache_teacher is not None:
        overrides["teacher.cache"] = str(args.cache_teacher)
    config = load_config(args.config, overrides)
    best = fit(config, resume=args.resume, overwrite=args.overwrite, progress_bar=progress_shown())
    # Where several processes train, each runs this command.
    rank_zero_only(print)(f"best checkpoint: {best}")
    return 0
