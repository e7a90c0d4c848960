"""Publish the topics of a rosbag2 with their original timing, for machines without ``ros2 bag``.

Every message goes out byte for byte as it was recorded, under its recorded topic name (remap with
``--ros-args -r /old:=/new``) and with the reliability and durability it was recorded with.
"""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kd_seg_ros.errors import UserError, first_line

if TYPE_CHECKING:
    from rclpy.node import Node
    from rclpy.publisher import Publisher
    from rclpy.qos import QoSProfile
    from rosbags.interfaces import Connection
    from rosbags.rosbag2 import Reader

IMAGE_TYPES: Final = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")

_LOOP_PAUSE_S: Final = 0.1  # between two rounds, so that a bag of one message does not spin
_LONGEST_SLEEP_S: Final = 0.05  # how long a signal may go unnoticed
_ACKNOWLEDGE_S: Final = 2.0  # how long to wait at the end for subscribers that lag behind


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code: 0 at the end or when interrupted, 2 for a user's mistake."""
    argv = list(sys.argv[1:] if argv is None else argv)
    try:
        args = _parser().parse_args(_without_ros_arguments(argv))
        with open_bag(args.bag) as reader:
            _play(reader, args, argv)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


@contextmanager
def open_bag(path: str | Path) -> Iterator[Reader]:
    """Open a rosbag2: its folder, or a single ``.mcap`` or ``.db3`` file.

    :raises UserError: if it is missing, no bag, damaged or without messages, or if rosbags is not installed.
    """
    try:
        from rosbags.rosbag2 import Reader
    except ImportError as error:  # rosdep has no key for it
        raise UserError("reading a bag needs the Python package rosbags: pip install rosbags") from error
    path = Path(path)
    if not path.exists():
        raise UserError(f"{path}: no such bag")
    try:
        reader = Reader(path)
        reader.open()
    except Exception as error:  # what a damaged file raises depends on where the damage is
        raise UserError(f"{path}: not a readable rosbag2: {first_line(error)}") from error
    try:
        if reader.message_count == 0:
            raise UserError(f"{path}: the bag has no messages")
        yield reader
    finally:
        reader.close()


def image_topics(reader: Reader) -> dict[str, str]:
    """Topics of an open bag that carry camera images, with their message types."""
    return {c.topic: c.msgtype for c in reader.connections if c.msgtype in IMAGE_TYPES and c.msgcount}


def messages(reader: Reader, connections: Sequence[Connection]) -> Iterator[tuple[Connection, int, bytes]]:
    """Yield (connection, log time in ns, CDR bytes) in the order of time.

    :raises UserError: if the bag turns out to be damaged.
    """
    try:
        for connection, stamp, raw in reader.messages(connections):
            yield connection, stamp, bytes(raw)
    except Exception as error:  # as in open_bag
        raise UserError(f"{reader.path}: the bag is damaged: {first_line(error)}") from error


class _Stop:
    """Set by SIGINT or SIGTERM; further ones are ignored, so that they cannot break the clean-up."""

    requested = False

    def __init__(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._request)

    def _request(self, *_: object) -> None:
        self.requested = True


class _Clock:
    """Publishes the time of the bag on ``/clock`` at a fixed rate."""

    def __init__(self, node: Node, hertz: float) -> None:
        from rosgraph_msgs.msg import Clock

        self._message = Clock()
        self._publisher = node.create_publisher(Clock, "/clock", 1)
        self._period = 1.0 / hertz
        self._due = 0.0

    def tick(self, bag_time: int) -> float:
        """Publish if it is time to; return the seconds until the next tick."""
        now = time.monotonic()
        if now >= self._due:
            self._due = now + self._period
            stamp = self._message.clock
            stamp.sec, stamp.nanosec = divmod(bag_time, 10**9)
            self._publisher.publish(self._message)
        return self._due - now


def _play(reader: Reader, args: argparse.Namespace, argv: list[str]) -> None:
    stop = _Stop()
    connections = _selected(reader, args.topics, skip_clock=args.clock is not None)
    try:
        import rclpy
        from rclpy.duration import Duration
        from rclpy.signals import SignalHandlerOptions
    except ImportError as error:
        raise UserError(
            f"play_bag needs ROS 2 ({error}): source an install, or pip install 'kd_seg_ros[ros]'"
        ) from error

    try:
        rclpy.init(args=argv, signal_handler_options=SignalHandlerOptions.NO)
    except Exception as error:  # its classes for wrong arguments differ between releases
        raise UserError(f"ROS 2 did not start, see --ros-args: {first_line(error)}") from error
    try:
        node = rclpy.create_node("play_bag", start_parameter_services=False)
        publishers = _publishers(node, connections)
        connections = [c for c in connections if c.topic in publishers]
        clock = _Clock(node, args.clock) if args.clock is not None else None
        _wait_for_subscribers(node, publishers, args.wait, stop)
        node.get_logger().info(f"playing {', '.join(publishers)} at rate {args.rate:g}")
        while not stop.requested:
            _play_once(messages(reader, connections), publishers, clock, args.rate, stop)
            if not args.loop:
                break
            time.sleep(_LOOP_PAUSE_S)
        for publisher in publishers.values():
            if not stop.requested:
                publisher.wait_for_all_acked(Duration(seconds=_ACKNOWLEDGE_S))
    finally:
        rclpy.try_shutdown()


def _play_once(
    recorded: Iterator[tuple[Connection, int, bytes]],
    publishers: dict[str, Publisher],
    clock: _Clock | None,
    rate: float,
    stop: _Stop,
) -> None:
    """Publish each message at its own time after the first one; late ones follow at once."""
    start, first = time.monotonic(), None
    for connection, stamp, raw in recorded:
        first = stamp if first is None else first
        while not stop.requested:
            elapsed = time.monotonic() - start
            left = (stamp - first) / 1e9 / rate - elapsed
            # Bag time never runs ahead of a message that is still to come.
            tick = clock.tick(min(first + int(elapsed * rate * 1e9), stamp)) if clock else left
            if left <= 0:
                break
            time.sleep(max(0.0, min(left, tick, _LONGEST_SLEEP_S)))
        if stop.requested:
            return
        publishers[connection.topic].publish(raw)


def _selected(reader: Reader, topics: Sequence[str] | None, skip_clock: bool) -> list[Connection]:
    """Connections of the bag to play: all, or those of the topics asked for."""
    known = {c.topic for c in reader.connections}
    if missing := sorted(set(topics or ()) - known):
        raise UserError(f"--topics {missing[0]}: not in {reader.path}, which has {', '.join(sorted(known))}")
    return [
        c
        for c in reader.connections
        if (topics is None or c.topic in topics) and not (skip_clock and c.topic == "/clock")
    ]


def _publishers(node: Node, connections: Sequence[Connection]) -> dict[str, Publisher]:
    """Create a publisher per topic, without those whose message type is not installed."""
    publishers: dict[str, Publisher] = {}
    for connection in connections:
        try:
            package, _, name = connection.msgtype.split("/")
            message_class = getattr(importlib.import_module(f"{package}.msg"), name)
        except (ImportError, AttributeError, ValueError):
            node.get_logger().warning(
                f"{connection.topic} is left out: its type {connection.msgtype} is not installed"
            )
            continue
        if connection.topic not in publishers:
            offers = [c for c in connections if c.topic == connection.topic]
            publishers[connection.topic] = node.create_publisher(
                message_class, connection.topic, _quality_of_service(offers)
            )
    if not publishers:
        raise UserError("none of the bag's topics can be published: install their message packages")
    return publishers


def _quality_of_service(connections: Sequence[Connection]) -> QoSProfile:
    """What the topic was recorded with; the strictest offer of several, which suits every subscriber."""
    from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
    from rosbags.interfaces import QosDurability, QosReliability

    offers: list[Any] = [qos for c in connections for qos in c.ext.offered_qos_profiles]  # type: ignore[union-attr]
    best_effort = offers and all(qos.reliability == QosReliability.BEST_EFFORT for qos in offers)
    latched = any(qos.durability == QosDurability.TRANSIENT_LOCAL for qos in offers)
    return QoSProfile(
        depth=max((qos.depth for qos in offers), default=0) or 10,
        reliability=ReliabilityPolicy.BEST_EFFORT if best_effort else ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )


def _wait_for_subscribers(node: Node, publishers: dict[str, Publisher], seconds: float, stop: _Stop) -> None:
    deadline = time.monotonic() + seconds
    lonely = list(publishers)
    while lonely and not stop.requested and time.monotonic() < deadline:
        time.sleep(_LONGEST_SLEEP_S)
        lonely = [topic for topic in lonely if not publishers[topic].get_subscription_count()]
    if lonely and seconds and not stop.requested:
        node.get_logger().info(
            f"nobody subscribes to {', '.join(lonely)} after {seconds:g} s: starting anyway"
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="play_bag", description="Publish a rosbag2's topics as recorded.")
    parser.add_argument("bag", type=Path, help="a rosbag2 folder, or one .mcap or .db3 file")
    parser.add_argument("--rate", type=_positive, default=1.0, help="speed, 1 = as recorded (default)")
    parser.add_argument("--loop", action="store_true", help="start again at the end, until interrupted")
    parser.add_argument("--topics", nargs="+", metavar="TOPIC", help="play these topics only (default: all)")
    parser.add_argument(
        "--clock",
        type=_positive,
        nargs="?",
        const=40.0,
        metavar="HZ",
        help="publish the bag's time on /clock, HZ times a second (default: 40)",
    )
    parser.add_argument(
        "--wait",
        type=float,
        default=3.0,
        metavar="S",
        help="wait at most S seconds until every topic has a subscriber (default: 3)",
    )
    return parser


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return value


def _without_ros_arguments(argv: list[str]) -> list[str]:
    """Cut out ``--ros-args … [--]``, which is rclpy's business."""
    if "--ros-args" not in argv:
        return argv
    start = argv.index("--ros-args")
    rest = argv[start:]
    after = argv[start + rest.index("--") + 1 :] if "--" in rest else []
    return argv[:start] + _without_ros_arguments(after)


if __name__ == "__main__":
    sys.exit(main())
