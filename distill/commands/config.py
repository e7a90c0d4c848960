"""``kd_seg config``: prints the full configuration of an experiment and where each value comes from."""

from __future__ import annotations

import argparse

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
        "Every key of the configuration is an option as well, as for `kd_seg fit`: --data.root DIR. What is "
        "printed can be saved and given to `kd_seg fit --config`."
    )


def run(args: argparse.Namespace) -> int:
    """Print the configuration."""
    from distill.config.overrides import parse_overrides
    from distill.config.resolved import resolve_config

    resolved = resolve_config(args.experiment, parse_overrides(args.overrides))
    if args.json:
        print_json(resolved.document())
    else:
        print(resolved.as_yaml(), end="")
    return 0
