"""The options of ``play_bag``: names and meanings of ``ros2 bag play``, as far as they go."""

from __future__ import annotations

import argparse
from pathlib import Path

from kd_seg_ros.common.option_types import not_negative, positive


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``play_bag``."""
    parser.description = (
        "Publish the topics of a rosbag2 as they were recorded. --ros-args … may follow, as for every node."
    )
    parser.set_defaults(ros_arguments=[])
    add = parser.add_argument
    add("bag", type=Path, metavar="BAG", help="rosbag2 to read: its folder, or one .mcap or .db3 file")
    add("-r", "--rate", type=positive, default=1.0, metavar="X", help="speed of the replay, 1: as recorded")
    add("-l", "--loop", action="store_true", help="start again at the end, until interrupted")
    add("--topics", nargs="+", metavar="TOPIC", help="play these topics only (default: all)")
    add("-m", "--remap", nargs="+", default=[], metavar="OLD:=NEW", help="publish topics under other names")
    add("--start-offset", type=not_negative, default=0.0, metavar="S", help="start S seconds into the bag")
    add(
        "--playback-duration",
        type=positive,
        metavar="S",
        help="play S seconds of the bag, at any rate (default: to its end)",
    )
    add(
        "--clock",
        type=positive,
        nargs="?",
        const=40.0,
        metavar="HZ",
        help="publish the bag's time on /clock, HZ times per second (default without a number: 40)",
    )
    add("-d", "--delay", type=not_negative, default=0.0, metavar="S", help="wait S seconds before each round")
    add("-p", "--start-paused", action="store_true", help="wait for the space bar")
    add("--disable-keyboard-controls", action="store_true", help="do not read keys from the terminal")
    add(
        "--qos-profile-overrides-path",
        type=Path,
        metavar="FILE",
        help="YAML file with the quality of service per topic; settings that it leaves out are as recorded",
    )
    add(
        "--wait",
        type=not_negative,
        default=3.0,
        metavar="S",
        help="wait at most S seconds until every topic has a subscriber",
    )
    add(
        "--timing",
        type=Path,
        metavar="FILE",
        help="CSV file to write when each message was published, and how late",
    )
