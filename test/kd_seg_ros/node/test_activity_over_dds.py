"""The node works while it is wanted, and says what it does meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")

from dds import Client, as_array, rgb_message, running_node
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from std_srvs.srv import SetBool
from tiny_model import expected, write_tiny_model

HEIGHT, WIDTH = 48, 64
IMAGE = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    model = write_tiny_model(tmp_path_factory.mktemp("model") / "tiny.onnx", HEIGHT, WIDTH)
    return ["-p", f"model:={model}", "-p", "provider:=cpu", "-p", "diagnostics.period_s:=0.2"]


@pytest.fixture
def client() -> Iterator[Client]:
    client = Client("activity")
    yield client
    client.close()


def test_images_are_subscribed_to_only_while_somebody_listens(settings: list[str], client: Client) -> None:
    camera, states = client.publisher("image"), client.diagnostics()
    with running_node("activity", *settings):
        assert client.spin_until(lambda: states and states[-1]["state"] == "idle")
        assert states[-1]["level"] == "0"
        assert camera.get_subscription_count() == 0
        masks = client.collect("segmentation/mask")
        client.ask(camera, rgb_message(IMAGE), masks)
        assert client.spin_until(lambda: states[-1]["state"] == "running")
        for subscription in list(client.node.subscriptions):
            if subscription.topic_name == "/activity/segmentation/mask":
                client.node.destroy_subscription(subscription)
        assert client.spin_until(lambda: states[-1]["state"] == "idle")
        assert client.spin_until(lambda: camera.get_subscription_count() == 0)


def test_always_means_without_listeners_too(settings: list[str], client: Client) -> None:
    camera, states = client.publisher("image"), client.diagnostics()
    with running_node("activity", *settings, "-p", "active:=always"):
        assert client.spin_until(lambda: camera.get_subscription_count() == 1)
        camera.publish(rgb_message(IMAGE))
        assert client.spin_until(lambda: states and states[-1]["frames_published"] == "1")


def test_switched_off_and_on(settings: list[str], client: Client) -> None:
    camera, states = client.publisher("image"), client.diagnostics()
    masks = client.collect("segmentation/mask")
    switch: Any = client.node.create_client(SetBool, "segmentation/set_enabled")

    def switched(on: bool) -> str:
        call = switch.call_async(SetBool.Request(data=on))
        assert client.spin_until(call.done)
        answer = call.result()
        assert answer is not None
        assert answer.success
        return str(answer.message)

    with running_node("activity", *settings):
        client.ask(camera, rgb_message(IMAGE, second=1), masks)
        assert client.spin_until(switch.service_is_ready)
        assert switched(False) == "paused; the network stays loaded"
        camera.publish(rgb_message(IMAGE, second=2))
        # At least one: a frame that was sent a second time before may still have been on its way.
        assert client.spin_until(lambda: states and int(states[-1]["frames_paused"]) >= 1)
        assert (states[-1]["level"], states[-1]["state"]) == ("0", "paused")
        assert switched(True) == "segmenting"
        camera.publish(rgb_message(IMAGE, second=3))
        assert client.spin_until(lambda: masks[-1].header.stamp.sec == 3)
    assert {mask.header.stamp.sec for mask in masks} == {1, 3}


def test_silence_is_an_error(settings: list[str], client: Client) -> None:
    states = client.diagnostics()
    client.collect("segmentation/mask")
    limit = "diagnostics.no_image_timeout_s:=0.5"
    with running_node("activity", *settings, "-p", limit):
        assert client.spin_until(lambda: states and states[-1]["level"] == "2")
        assert states[-1]["message"].startswith("no image on /activity/image for ")
        assert states[-1]["message"].endswith("nobody publishes it")
        client.publisher("image")
        assert client.spin_until(lambda: "though it has 1 publisher: large images" in states[-1]["message"])


def test_parameters_change_while_running_or_are_refused(settings: list[str], client: Client) -> None:
    camera, masks = client.publisher("image"), client.collect("segmentation/mask")
    setter: Any = client.node.create_client(SetParameters, "segmentation/set_parameters")

    def set_to(name: str, kind: int, **value: object) -> tuple[bool, str]:
        wanted = Parameter(name=name, value=ParameterValue(type=kind, **value))
        call = setter.call_async(SetParameters.Request(parameters=[wanted]))
        assert client.spin_until(call.done)
        answer = call.result()
        assert answer is not None
        return answer.results[0].successful, answer.results[0].reason

    double, text = ParameterType.PARAMETER_DOUBLE, ParameterType.PARAMETER_STRING
    with running_node("activity", *settings):
        assert client.spin_until(setter.service_is_ready)
        assert set_to("min_confidence", double, double_value=0.5) == (True, "")
        assert set_to("diagnostics.max_image_age_ms", double, double_value=100.0)[0]
        mask, confidence = expected(IMAGE)
        answer = client.ask(camera, rgb_message(IMAGE), masks)
        np.testing.assert_array_equal(as_array(answer), np.where(confidence / 255 < 0.5, 255, mask))
        accepted, reason = set_to("provider", text, string_value="cuda")
        assert not accepted
        assert "read-only" in reason
        accepted, reason = set_to("overlay_alpha", double, double_value=2.0)
        assert not accepted
        assert "overlay_alpha" in reason
