"""Publish the topics of a rosbag2 with their original timing, for machines without ``ros2 bag``.

Every message goes out byte for byte as it was recorded, with the reliability and durability it was
recorded with. Options and keys are called as ``ros2 bag play`` calls them. What the parts do:
:mod:`kd_seg_ros.playback`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

from kd_seg_ros.bags.cameras import find_image_topic
from kd_seg_ros.bags.reading import (
    chosen_connections,
    image_topics,
    messages,
    not_among,
    open_bag,
)
from kd_seg_ros.common.allocator import keep_large_blocks
from kd_seg_ros.common.command_line import run_command
from kd_seg_ros.common.errors import UserError, first_line
from kd_seg_ros.common.fast_dds import prepare_large_images
from kd_seg_ros.common.files import reason
from kd_seg_ros.common.stop_request import StopRequest
from kd_seg_ros.playback import keyboard
from kd_seg_ros.playback.keyboard import Keyboard
from kd_seg_ros.playback.options import add_arguments
from kd_seg_ros.playback.player import LONGEST_WAIT_S, BagClock, Player
from kd_seg_ros.playback.publishers import create_publishers, is_latched, offered, read_overrides
from kd_seg_ros.playback.read_ahead import ReadAhead, Recorded
from kd_seg_ros.playback.timeline import Timeline

if TYPE_CHECKING:
    from rclpy.node import Node
    from rclpy.publisher import Publisher
    from rosbags.interfaces import Connection

    from kd_seg_ros.bags.bag_reader import BagReader

__all__ = ["add_arguments", "main", "run"]

_LOOP_PAUSE_S: Final = 0.1  # between two rounds, so that a bag of one message does not spin
_ACKNOWLEDGE_S: Final = 2.0  # how long to wait at the end for subscribers that are slow
_SWITCH_S: Final = 0.0005  # for how long the reading thread may hold the interpreter against the other


def main(argv: Sequence[str] | None = None) -> int:
    """Run the executable ``play_bag``; return its exit status: 0 at the end or when interrupted."""
    return run_command("play_bag", "", "kd_seg_ros.playback.play_bag", argv)


def run(args: argparse.Namespace) -> int:
    """Play the bag until its end or a signal; return 0, or 1 if a file of it was left out."""
    with open_bag(args.bag) as reader:
        _run(reader, args)
        return 1 if reader.left_out else 0


def _run(reader: BagReader, args: argparse.Namespace) -> None:
    stop = StopRequest()
    connections = chosen_connections(reader, _topics(reader, args.topics))
    if args.clock is not None:
        connections = [c for c in connections if c.topic != "/clock"]
    begin, end = _part(reader, args)
    overrides = read_overrides(args.qos_profile_overrides_path)
    remapping = _remapping(reader, args.remap)
    sys.setswitchinterval(_SWITCH_S)
    with ExitStack() as stack:
        table = _create(args.timing, stack)
        prepared = prepare_large_images()
        node = _start_ros([*remapping, *args.ros_arguments], stack)
        publishers = create_publishers(node, connections, overrides)
        connections = [c for c in connections if c.topic in publishers]
        clock = BagClock(node, args.clock) if args.clock is not None else None
        ahead = ReadAhead(_rounds(reader, connections, begin, end, args.loop))
        stack.callback(ahead.close)
        keys = stack.enter_context(Keyboard(not args.disable_keyboard_controls))
        say = _silent if args.quiet else node.get_logger().info
        if prepared:
            say(prepared)
        player = Player(lambda m: publishers[m.topic].publish(m.raw), keys, clock, stop, say)
        if table is not None:
            stack.callback(player.timing.write, table)
        _wait_for_subscribers(node, publishers, args.wait, stop)
        say(f"playing {', '.join(publishers)} at rate {args.rate:g}")
        if keys.active:
            say(keyboard.HELP)
        _play(player, ahead, begin, args, stop)
        _wait_until_acknowledged(publishers, stop)
        say(player.timing.summary())


def _topics(reader: BagReader, wanted: Sequence[str] | None) -> list[str] | None:
    """Return the topics to play; an image topic may be named with or without ``/compressed``."""
    if wanted is None:
        return None
    known = {c.topic for c in reader.connections}
    images = image_topics(reader)
    return [topic if topic in known else find_image_topic(topic, images) or topic for topic in wanted]


def _silent(text: str) -> None:
    """Stand in for the node's log under ``--quiet``."""


def _play(player: Player, ahead: ReadAhead, begin: int, args: argparse.Namespace, stop: StopRequest) -> None:
    """Play the bag once, or round after round with ``--loop``."""
    rate, paused = args.rate, args.start_paused
    while not stop.requested:
        ahead.fill(stop)
        _sleep(args.delay, stop)
        timeline = Timeline(begin, rate, paused)
        if not player.play(ahead.round(stop), timeline) and not stop.requested:
            raise UserError(f"{args.bag}: no message in this part of the bag, see --start-offset")
        if not args.loop:
            return
        rate, paused = timeline.rate, timeline.paused
        _sleep(_LOOP_PAUSE_S, stop)


def _rounds(
    reader: BagReader, connections: Sequence[Connection], begin: int, end: int, loop: bool
) -> Iterator[Recorded | None]:
    """Yield the messages from ``begin`` to before ``end``, and None after each round.

    First come the messages that latched topics held at ``begin``: whoever starts in the middle needs them.
    """
    yield from _held(reader, connections, begin)
    # Where all of the bag is played, it is noticed at the end if messages are missing.
    start = None if begin == reader.start_time else begin
    stop = None if end == reader.end_time else end
    while True:
        for connection, stamp, raw in messages(reader, connections, start, stop):
            yield Recorded(connection.topic, stamp, raw)
        yield None
        if not loop:
            return


def _held(reader: BagReader, connections: Sequence[Connection], begin: int) -> list[Recorded]:
    latched = [c for c in connections if is_latched([c])]
    if begin == reader.start_time or not latched:
        return []
    last: dict[int, list[Recorded]] = {c.id: [] for c in latched}
    for connection, _, raw in messages(reader, latched, None, begin):
        depth = max([qos.depth for qos in offered([connection])]) or 1
        last[connection.id] = [*last[connection.id], Recorded(connection.topic, begin, raw)][-depth:]
    return [message for kept in last.values() for message in kept]


def _part(reader: BagReader, args: argparse.Namespace) -> tuple[int, int]:
    """Return the bag times (ns) between which to play."""
    begin = reader.start_time + round(args.start_offset * 1e9)
    if begin >= reader.end_time:
        seconds = reader.duration * 1e-9
        raise UserError(f"--start-offset {args.start_offset:g}: {args.bag} is {seconds:.3g} s long")
    if args.playback_duration is None:
        return begin, reader.end_time
    return begin, min(begin + round(args.playback_duration * 1e9) + 1, reader.end_time)


def _remapping(reader: BagReader, rules: Sequence[str]) -> list[str]:
    """Turn ``old:=new`` into arguments of ROS."""
    topics = {c.topic for c in reader.connections} | {"/clock"}
    for rule in rules:
        old, separator, new = rule.partition(":=")
        if not (old and separator and new):
            raise UserError(f"--remap {rule}: must be /old:=/new")
        if old not in topics:
            raise UserError(f"--remap {rule}: {not_among(old, topics, str(reader.path))}")
    if not rules:
        return []
    arguments = ["--ros-args"]
    for rule in rules:
        arguments += ["-r", rule]
    return [*arguments, "--"]


def _create(path: Path | None, stack: ExitStack) -> TextIO | None:
    try:
        return stack.enter_context(path.open("w", encoding="utf-8", newline="")) if path else None
    except OSError as error:
        raise UserError(f"--timing {path}: cannot be written: {reason(error)}") from error


def _start_ros(argv: list[str], stack: ExitStack) -> Node:
    import rclpy
    from rclpy.signals import SignalHandlerOptions

    stack.callback(rclpy.try_shutdown)
    try:
        keep_large_blocks()
        rclpy.init(args=argv, signal_handler_options=SignalHandlerOptions.NO)
    except Exception as error:  # its classes for wrong arguments differ between releases
        raise UserError(f"ROS 2 did not start, see --ros-args: {first_line(error)}") from error
    return rclpy.create_node("play_bag", start_parameter_services=False)


def _wait_for_subscribers(
    node: Node, publishers: dict[str, Publisher], seconds: float, stop: StopRequest
) -> None:
    deadline = time.monotonic() + seconds
    lonely = list(publishers)
    while lonely and not stop.requested and time.monotonic() < deadline:
        time.sleep(LONGEST_WAIT_S)
        lonely = [topic for topic in lonely if not publishers[topic].get_subscription_count()]
    if lonely and seconds and not stop.requested:
        node.get_logger().info(
            f"nobody subscribes to {', '.join(lonely)} after {seconds:g} s: starting anyway"
        )


def _wait_until_acknowledged(publishers: dict[str, Publisher], stop: StopRequest) -> None:
    from rclpy.duration import Duration

    for publisher in publishers.values():
        if not stop.requested:
            publisher.wait_for_all_acked(Duration(seconds=_ACKNOWLEDGE_S))


def _sleep(seconds: float, stop: StopRequest) -> None:
    end = time.monotonic() + seconds
    while not stop.requested:
        left = end - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(left, LONGEST_WAIT_S))


if __name__ == "__main__":
    sys.exit(main())
