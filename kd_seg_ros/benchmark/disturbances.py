"""What goes on around a node in the field: subscribers, parameters, pauses; one step at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import cycle
from typing import Any, Final

from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.client import Client
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from sensor_msgs.msg import Image
from std_srvs.srv import SetBool

NODE: Final = "segmentation"


class Disturbances:
    """Disturbs a node step by step; requests are sent without waiting for their answers."""

    def __init__(self, node: Node) -> None:
        self.done: Counter[str] = Counter()
        """Number of times that each disturbance has happened, by its name."""
        self._node = node
        self._parameters: Client = node.create_client(SetParameters, f"{NODE}/set_parameters")
        self._enable: Client = node.create_client(SetBool, f"{NODE}/set_enabled")
        self._guests: list[Subscription] = []
        steps: list[Callable[[], None]] = [
            partial(self._set, "min_confidence", 0.5),
            partial(self._come, "overlay", ReliabilityPolicy.RELIABLE),
            partial(self._set, "overlay_alpha", 0.2),
            partial(self._come, "mask", ReliabilityPolicy.BEST_EFFORT),
            partial(self._set, "min_confidence", 7.0),  # must be refused
            self._go,
            partial(self._set, "overlay_alpha", 0.8),
            self._go,
            partial(self._set_enabled, False),
            partial(self._set_enabled, True),
            partial(self._set, "min_confidence", 0.0),
        ]
        self._steps = cycle(steps)

    def next(self) -> None:
        """Do the next step, over and over again."""
        next(self._steps)()

    def end(self) -> None:
        """Leave the node running, and alone."""
        while self._guests:
            self._go()
        self._set_enabled(True)

    def _set(self, name: str, value: float) -> None:
        number = ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=value)
        request = SetParameters.Request(parameters=[Parameter(name=name, value=number)])

        def answered(future: Any) -> None:
            accepted = future.result().results[0].successful
            self.done["parameter changed" if accepted else "parameter refused"] += 1

        self._ask(self._parameters, request, answered)

    def _set_enabled(self, value: bool) -> None:
        def answered(future: Any) -> None:
            self.done["resumed" if value else "paused"] += future.result().success

        self._ask(self._enable, SetBool.Request(data=value), answered)

    def _ask(self, client: Client, request: Any, answered: Callable[[Any], None]) -> None:
        if client.service_is_ready():
            client.call_async(request).add_done_callback(answered)

    def _come(self, output: str, reliability: ReliabilityPolicy) -> None:
        def received(_: Image) -> None:
            self.done[f"{output} seen by a guest"] += 1

        profile = QoSProfile(depth=1, reliability=reliability)
        topic = f"{NODE}/{output}"
        self._guests.append(self._node.create_subscription(Image, topic, received, profile))

    def _go(self) -> None:
        self._node.destroy_subscription(self._guests.pop(0))
        self.done["subscriber gone"] += 1
