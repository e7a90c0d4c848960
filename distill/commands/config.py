"""``kd_seg config``: prints the full configuration of an experiment and where each value comes from."""

from __future__ import annotations

import argparse

from distill.config.overrides import parse_overrides
from distill.config.resolved import resolve_config
from kd_seg_ros.common.command_line import add_json_option, print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options; every key of the configuration is one too."""
    parser.add_argument(
        "experiment",
        metavar="EXPERIMENT",
        help="YAML file, or the name of an experiment of this package, e.g. j_rn18_cwd_border",
    )
    add_json_option(parser)
    parser.set_defaults(overrides=[])
    parser.epilog = (
        "Any key of the configuration can be given too, as to fit: --data.root DIR --training.epochs 3. "
        "What is printed can be saved and given to fit as a configuration."
    )


def run(args: argparse.Namespace) -> int:
    """Print the configuration."""
    resolved = resolve_config(args.experiment, parse_overrides(args.overrides))
    if args.json:
        print_json(resolved.document())
    else:
        print(resolved.as_yaml(), end="")
    return 0
