"""``kd_seg config``: prints the full configuration of an experiment and where each value comes from."""

from __future__ import annotations

import argparse
import logging

from distill.config.doubts import doubts
from distill.config.overrides import accept_overrides, parse_overrides
from distill.config.resolved import resolve_config
from distill.config.shipped import add_config_argument
from kd_seg_ros.common.command_line import add_json_option, print_json

LOGGER = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options; every key of the configuration is one too."""
    add_config_argument(parser, "experiment")
    add_json_option(parser)
    accept_overrides(parser)


def run(args: argparse.Namespace) -> int:
    """Print the whole configuration, as YAML that fit takes or as JSON."""
    resolved = resolve_config(args.experiment, parse_overrides(args.overrides))
    for doubt in doubts(resolved.config):
        LOGGER.warning("%s", doubt)
    if args.json:
        print_json(resolved.document())
    else:
        print(resolved.as_yaml(), end="")
    return 0
