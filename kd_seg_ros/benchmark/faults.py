"""What a camera and a clock may do wrong."""

from __future__ import annotations

import time
from array import array
from copy import deepcopy
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rclpy.node import Node
    from sensor_msgs.msg import Image

JUMP_S = 5.0


def bad_images(good: Image) -> list[Image]:
    """Copies of an rgb8 message, each broken in one way: the node must drop and count every one."""
    bad = [deepcopy(good) for _ in range(6)]
    bad[0].step -= 1
    bad[1].data = good.data[:-1]
    bad[2].width = bad[2].step = 0
    bad[3].encoding = "nonsense"
    bad[4].encoding = "mono16"
    bad[5].data = array("B")
    return bad


class JumpingClock:
    """Publishes ``/clock``, which runs like the system's but jumps back and forth."""

    def __init__(self, node: Node, every: int) -> None:
        """Start at 1000 s.

        :param every: images between two jumps of 5 s: back, forth, back, …
        """
        from rosgraph_msgs.msg import Clock

        self._message = Clock()
        self._publisher = node.create_publisher(Clock, "/clock", 1)
        self._every = every
        self._offset = 1_000_000_000_000 - time.monotonic_ns()

    def tick(self, number: int) -> int:
        """Publish the time of image ``number``, counted from 1; return it in nanoseconds."""
        turn, rest = divmod(number, self._every)
        if rest == 0:
            self._offset += int(JUMP_S * 1e9) * (-1 if turn % 2 else 1)
        now = time.monotonic_ns() + self._offset
        self._message.clock.sec, self._message.clock.nanosec = divmod(now, 10**9)
        self._publisher.publish(self._message)
        return now
