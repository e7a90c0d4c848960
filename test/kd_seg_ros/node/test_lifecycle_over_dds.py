"""The managed node, as a lifecycle manager talks to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")

from dds import Client, as_array, rgb_message, start_node
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from tiny_model import expected, write_tiny_model

from kd_seg_ros.common.child_process import ChildProcess
from kd_seg_ros.node.segmentation_node import NAME

IMAGE = np.random.default_rng(0).integers(0, 200, (48, 64, 3), np.uint8)
WITHOUT_PAUSES = """
import sys
from kd_seg_ros.node import recovery
recovery.PAUSES_S = (0.0, 0.0, 0.0)
from kd_seg_ros.node.segmentation_node import main
sys.exit(main())
"""


class Manager(Client):
    """A lifecycle manager: asks for transitions, and sets parameters."""

    def call(self, kind: Any, service: str, request: Any) -> Any:
        client: Any = self.node.create_client(kind, f"{NAME}/{service}")
        assert self.spin_until(client.service_is_ready)
        call = client.call_async(request)
        assert self.spin_until(call.done)
        self.node.destroy_client(client)
        return call.result()

    def change(self, transition: int) -> bool:
        request = ChangeState.Request(transition=Transition(id=transition))
        return bool(self.call(ChangeState, "change_state", request).success)

    def state(self) -> int:
        return int(self.call(GetState, "get_state", GetState.Request()).current_state.id)

    def set_text(self, name: str, text: str) -> tuple[bool, str]:
        value = ParameterValue(type=ParameterType.PARAMETER_STRING, string_value=text)
        request = SetParameters.Request(parameters=[Parameter(name=name, value=value)])
        result = self.call(SetParameters, "set_parameters", request).results[0]
        return result.successful, result.reason


@pytest.fixture
def manager() -> Iterator[Manager]:
    manager = Manager("managed")
    yield manager
    manager.close()


@pytest.fixture
def node() -> Iterator[ChildProcess]:
    settings = ["-p", "provider:=cpu", "-p", "diagnostics.period_s:=0.2", "-p", "model:=/no/such/model.onnx"]
    arguments = ["--lifecycle", "--ros-args", "-r", "__ns:=/managed", *settings]
    with start_node(*arguments, program=["-c", WITHOUT_PAUSES]) as node:
        node.wait_for("waiting to be configured")
        yield node
        assert node.stop() == 0, node.lines
    assert not any("Traceback" in line for line in node.lines), node.lines


def test_a_whole_life(tmp_path: Path, manager: Manager, node: ChildProcess) -> None:
    model = write_tiny_model(tmp_path / "fragile.onnx", 48, 64, fragile=True)
    camera, masks = manager.publisher("image"), manager.collect("segmentation/mask")
    states = manager.diagnostics()
    assert manager.state() == State.PRIMARY_STATE_UNCONFIGURED

    # A model that cannot be loaded: FAILURE with the reason, and the node lives.
    assert not manager.change(Transition.TRANSITION_CONFIGURE)
    node.wait_for("cannot be configured: /no/such/model.onnx: no such model file")
    assert manager.state() == State.PRIMARY_STATE_UNCONFIGURED

    # Parameters are read when the node is configured, and checked when they are set.
    assert manager.set_text("model", str(model)) == (True, "")
    accepted, reason = manager.set_text("provider", "gpu")
    assert (accepted, "must be one of" in reason) == (False, True)
    assert manager.change(Transition.TRANSITION_CONFIGURE)
    accepted, reason = manager.set_text("model", "other.onnx")
    assert (accepted, "read when the node is configured" in reason) == (False, True)

    # Inactive: the outputs are offered, no image is subscribed to.
    assert manager.spin_until(lambda: states and states[-1]["state"] == "inactive")
    assert camera.get_subscription_count() == 0
    for second in (1, 2):
        assert manager.change(Transition.TRANSITION_ACTIVATE)
        answer = manager.ask(camera, rgb_message(IMAGE, second), masks)
        np.testing.assert_array_equal(as_array(answer), expected(IMAGE)[0])
        assert manager.change(Transition.TRANSITION_DEACTIVATE)
        assert manager.spin_until(lambda: camera.get_subscription_count() == 0)

    # Cleaned up, the outputs are gone; and all of it once more.
    assert manager.change(Transition.TRANSITION_CLEANUP)
    mask = manager.node.resolve_topic_name("segmentation/mask")
    assert manager.spin_until(lambda: manager.node.count_publishers(mask) == 0)
    assert manager.change(Transition.TRANSITION_CONFIGURE)
    assert manager.change(Transition.TRANSITION_ACTIVATE)
    manager.ask(camera, rgb_message(IMAGE, 3), masks)

    # A network that fails for good: back to unconfigured, from where it can be started again.
    broken = np.full((48, 64, 3), 255, np.uint8)
    for failed in range(1, 5):
        camera.publish(rgb_message(broken, 10 + failed))
        assert manager.spin_until(lambda: int(states[-1]["frames_failed"]) >= failed)  # noqa: B023
    node.wait_for("back to unconfigured: ")
    assert manager.spin_until(lambda: manager.state() == State.PRIMARY_STATE_UNCONFIGURED)
    assert manager.change(Transition.TRANSITION_CONFIGURE)
    assert manager.change(Transition.TRANSITION_ACTIVATE)
    manager.ask(camera, rgb_message(IMAGE, 4), masks)
    assert manager.change(Transition.TRANSITION_ACTIVE_SHUTDOWN)
    assert manager.state() == State.PRIMARY_STATE_FINALIZED
