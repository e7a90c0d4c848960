"""The options of ``play_bag``: names and meanings of ``ros2 bag play``, as far as they go."""

from __future__ import annotations

import argparse
from pathlib import Path


def create_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        prog="play_bag",
        description="Publish a rosbag2's topics as recorded. --ros-args … may follow, as for every node.",
    )
    add = parser.add_argument
    add("bag", type=Path, help="a rosbag2 folder, or one .mcap or .db3 file")
    add("-r", "--rate", type=positive, default=1.0, help="speed, 1 = as recorded (default)")
    add("-l", "--loop", action="store_true", help="start again at the end, until interrupted")
    add("--topics", nargs="+", metavar="TOPIC", help="play these topics only (default: all)")
    add("-m", "--remap", nargs="+", default=[], metavar="OLD:=NEW", help="publish topics under other names")
    add("--start-offset", type=_not_negative, default=0.0, metavar="S", help="start S seconds into the bag")
    add(
        "--playback-duration",
        type=positive,
        metavar="S",
        help="play S seconds of the bag, whatever the rate (default: to its end)",
    )
    add(
        "--clock",
        type=positive,
        nargs="?",
        const=40.0,
        metavar="HZ",
        help="publish the bag's time on /clock, HZ times a second (default: 40)",
    )
    add(
        "-d", "--delay", type=_not_negative, default=0.0, metavar="S", help="wait S seconds before each round"
    )
    add("-p", "--start-paused", action="store_true", help="wait for the space bar")
    add("--disable-keyboard-controls", action="store_true", help="leave the terminal's keys alone")
    add(
        "--qos-profile-overrides-path",
        type=Path,
        metavar="YAML",
        help="file with the quality of service by topic; what it does not say is as recorded",
    )
    add(
        "--wait",
        type=_not_negative,
        default=3.0,
        metavar="S",
        help="wait at most S seconds until every topic has a subscriber (default: 3)",
    )
    add("--timing", type=Path, metavar="CSV", help="write when each message was published, and how late")
    return parser


def positive(text: str) -> float:
    """Read a number above 0."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return value


def _not_negative(text: str) -> float:
    value = float(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number from 0 up")
    return value
