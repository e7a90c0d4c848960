"""A subscriber in the test's process, for what other processes publish."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from patient_process import LONG


class Listener:
    """Receives raw messages in this process while ``play_bag`` runs in another."""

    def __init__(self, domain: int) -> None:
        import rclpy
        from rclpy.executors import SingleThreadedExecutor

        self._context = rclpy.Context()
        rclpy.init(context=self._context, domain_id=domain)
        self.node = rclpy.create_node("listener", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self.received: dict[str, list[bytes]] = {}

    def subscribe(self, msgtype: Any, topic: str, qos: Any = 100) -> None:
        self.received[topic] = []
        self.node.create_subscription(msgtype, topic, self.received[topic].append, qos, raw=True)

    def spin_until(self, done: Callable[[], bool], seconds: float = LONG) -> None:
        deadline = time.monotonic() + seconds
        while not done() and time.monotonic() < deadline:
            self._executor.spin_once(timeout_sec=0.1)

    def close(self) -> None:
        self._executor.shutdown()
        self.node.destroy_node()
        self._context.try_shutdown()
