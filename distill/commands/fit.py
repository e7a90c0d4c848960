"""``kd_seg fit``: train a student by its YAML file."""

from __future__ import annotations

import argparse

from kd_seg_ros.common.logs import progress_shown


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options; every key of the configuration is one too."""
    parser.add_argument(
        "--config",
        required=True,
        metavar="EXPERIMENT",
        help="YAML file, or the name of an experiment of this package, e.g. j_rn18_cwd_border",
    )
    parser.add_argument("--resume", action="store_true", help="continue the run from its last checkpoint")
    parser.add_argument("--overwrite", action="store_true", help="replace what an earlier run has written")
    parser.set_defaults(overrides=[])
    parser.epilog = (
        "Every key of the configuration is an option as well, and wins over the file: "
        "--data.root DIR --training.epochs 3. `kd_seg config EXPERIMENT` lists them."
    )


def run(args: argparse.Namespace) -> int:
    """Train and print where the best checkpoint is."""
    from lightning.pytorch.utilities import rank_zero_only

    from distill.config import load_config
    from distill.config.overrides import parse_overrides
    from distill.training.trainer import fit

    config = load_config(args.config, parse_overrides(args.overrides))
    best = fit(config, resume=args.resume, overwrite=args.overwrite, progress_bar=progress_shown())
    # Where several processes train, each runs this command.
    rank_zero_only(print)(f"best checkpoint: {best}")
    return 0
