"""``kd_seg fit``: trains a student as its configuration says."""

from __future__ import annotations

import argparse

from distill.config import load_config
from distill.config.overrides import accept_overrides, parse_overrides
from distill.config.shipped import add_config_argument
from distill.datasets.findings import AMOUNTS
from kd_seg_ros.common.logs import progress_shown


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options; every key of the configuration is one too."""
    add_config_argument(parser, "--config", required=True)
    parser.add_argument("--resume", action="store_true", help="continue the run from its last checkpoint")
    parser.add_argument("--overwrite", action="store_true", help="replace what an earlier run has written")
    parser.add_argument(
        "--check",
        choices=AMOUNTS,
        default="sample",
        help="how much of the data to look at before training: a sample (default), all, or none",
    )
    accept_overrides(parser)


def run(args: argparse.Namespace) -> int:
    """Train and print where the best checkpoint is."""
    # Imported only now: PyTorch takes seconds to load, which --help does not need.
    from lightning.pytorch.utilities import rank_zero_only

    from distill.training.trainer import fit

    config = load_config(args.config, parse_overrides(args.overrides))
    best = fit(
        config, resume=args.resume, overwrite=args.overwrite, check=args.check, progress_bar=progress_shown()
    )
    # Where several processes train, each runs this command.
    rank_zero_only(print)(f"best checkpoint: {best}")
    return 0
