"""A node in the test's own process, spun in a thread, in a ROS context of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import dds  # noqa: F401  (isolated domain)
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor


@contextmanager
def node_here(make: Callable[..., Any], namespace: str, parameters: dict[str, Any]) -> Iterator[None]:
    """Run what ``make(context=…)`` returns, a node and its listener, in ``namespace``."""
    context = Context()
    arguments = ["--ros-args", "-r", f"__ns:=/{namespace}"]
    for name, value in parameters.items():
        arguments += ["-p", f"{name}:={value}"]
    rclpy.init(args=arguments, context=context)
    executor = SingleThreadedExecutor(context=context)
    try:
        node, listener = make(context=context)
        executor.add_node(node)
        thread = Thread(target=executor.spin)
        thread.start()
        try:
            yield
        finally:
            executor.shutdown()
            thread.join()
            listener.stop()
            node.destroy_node()
    finally:
        context.try_shutdown()
