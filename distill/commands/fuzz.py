"""``kd_seg fuzz``: malformed inputs for both halves, counted by outcome; see docs/reliability.md."""

from __future__ import annotations

import argparse

from kd_seg_ros.campaign import command
from kd_seg_ros.campaign.case import SUITES as VEHICLE_SUITES

SUITES = {
    **VEHICLE_SUITES,
    "data": "distill.campaign.data_trees",
    "class-maps": "distill.campaign.class_maps",
    "configurations": "distill.campaign.configurations",
    "metrics": "distill.campaign.metrics",
    "checkpoints": "distill.campaign.checkpoints",
}
"""Name of a suite → its module, of both halves."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options: those of the vehicle half's campaign, with more suites."""
    command.add_arguments(parser, SUITES)


def run(args: argparse.Namespace) -> int:
    """Run a campaign; return 1 if a case failed, otherwise 0."""
    return command.run(args, SUITES)
