"""A camera: ``python -m kd_seg_ros.benchmark.camera_process TOPIC… --rate HZ --frames N``.

Publishes rgb8 images of noise in a separate process, reliably with depth 1, stamped with the system's
clock. It waits for a subscriber of every topic first, and never sends two images at once to catch up. At the
end, or when interrupted, it prints as JSON what it has sent.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from array import array
from typing import TYPE_CHECKING

from kd_seg_ros.benchmark.bare_run import random_image
from kd_seg_ros.benchmark.faults import JumpingClock, bad_images
from kd_seg_ros.common.encodings import RGB8
from kd_seg_ros.common.stop_request import StopRequest

if TYPE_CHECKING:
    from rclpy.node import Node
    from rclpy.publisher import Publisher
    from sensor_msgs.msg import Image

SETTLE_S = 0.5
"""The camera sees a subscriber a little before that sees the camera."""


def image_message(size: tuple[int, int]) -> Image:
    """Make an rgb8 message of noise."""
    from sensor_msgs.msg import Image

    height, width = size
    data = array("B", random_image(size).tobytes())
    message = Image(height=height, width=width, encoding=RGB8, step=3 * width, data=data)
    message.header.frame_id = "camera"
    return message


def publish(
    args: argparse.Namespace, node: Node, publishers: list[Publisher], stop: StopRequest
) -> dict[str, object]:
    """Send the images; return what was sent."""
    message = image_message(tuple(args.size))
    bad = bad_images(message)
    clock = JumpingClock(node, args.clock_jump_every) if args.clock_jump_every else None
    sent, sent_bad = [0] * len(publishers), 0
    start = due = time.monotonic()
    number = 0
    while number < args.frames and not stop.requested:
        begins = not args.at_once or number % len(publishers) == 0
        if begins:
            time.sleep(max(0.0, due - time.monotonic()))
            due = max(due + 1 / args.rate, time.monotonic() - 1 / args.rate)
        chosen = number // args.turn % len(publishers)
        number += 1
        is_bad = bool(args.bad_every) and number % args.bad_every == 0
        image = bad[sent_bad % len(bad)] if is_bad else message
        now = clock.tick(number) if clock else time.time_ns()
        image.header.stamp.sec, image.header.stamp.nanosec = divmod(now, 10**9)
        publishers[chosen].publish(image)
        sent[chosen] += 1
        sent_bad += is_bad
    return {"sent": sent, "bad": sent_bad, "seconds": time.monotonic() - start}


def wait_for_subscribers(publishers: list[Publisher], seconds: float, stop: StopRequest) -> bool:
    """Return whether every publisher has one."""
    deadline = time.monotonic() + seconds
    while not all(publisher.get_subscription_count() for publisher in publishers):
        if stop.requested or time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    time.sleep(SETTLE_S)
    return True


def main(argv: list[str] | None = None) -> int:
    """Publish; return 2 if nobody subscribes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("topics", nargs="+")
    parser.add_argument("--turn", type=int, default=5, help="images in a row to one of several topics")
    parser.add_argument(
        "--at-once", action="store_true", help="with --turn 1: --rate times a second one image to each topic"
    )
    parser.add_argument("--rate", type=float, default=20.0)
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--size", type=int, nargs=2, default=(1080, 1920), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--bad-every", type=int, default=0, help="every such image is broken in some way")
    parser.add_argument(
        "--clock-jump-every", type=int, default=0, help="publish /clock, which jumps every so many images"
    )
    parser.add_argument("--wait", type=float, default=30.0, help="seconds to wait for subscribers")
    args = parser.parse_args(argv)
    import rclpy
    from rclpy.duration import Duration
    from rclpy.qos import QoSProfile
    from rclpy.signals import SignalHandlerOptions
    from sensor_msgs.msg import Image

    stop = StopRequest()
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    try:
        node = rclpy.create_node("camera", start_parameter_services=False)
        publishers = [node.create_publisher(Image, topic, QoSProfile(depth=1)) for topic in args.topics]
        if not wait_for_subscribers(publishers, args.wait, stop):
            print(f"error: nobody subscribes to {' or '.join(args.topics)}", file=sys.stderr)
            return 2
        print("publishing", flush=True)
        result = publish(args, node, publishers, stop)
        for publisher in publishers:
            publisher.wait_for_all_acked(Duration(seconds=2))
        print(json.dumps(result), flush=True)
    finally:
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
