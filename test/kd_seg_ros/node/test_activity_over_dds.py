"""The node works while it is wanted, and says what it does meanwhile."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy")

from dds import Client, as_array, rgb_message, running_node  # noqa: E402
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue  # noqa: E402
from rcl_interfaces.srv import SetParameters  # noqa: E402
from sensor_msgs.msg import CameraInfo, CompressedImage  # noqa: E402
from std_srvs.srv import SetBool  # noqa: E402
from tiny_model import expected, write_tiny_model  # noqa: E402

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
        # Sent once: a copy that comes while the node is paused would be taken for the frame that follows.
        assert client.spin_until(lambda: camera.get_subscription_count() == 1)
        camera.publish(rgb_message(IMAGE, second=1))
        assert client.spin_until(lambda: masks)
        assert client.spin_until(switch.service_is_ready)
        assert switched(False) == "paused; the network stays loaded"
        camera.publish(rgb_message(IMAGE, second=2))
        assert client.spin_until(lambda: states and int(states[-1]["frames_paused"]) >= 1)
        assert (states[-1]["level"], states[-1]["state"]) == ("0", "paused")
        assert switched(True) == "segmenting"
        camera.publish(rgb_message(IMAGE, second=3))
        assert client.spin_until(lambda: masks[-1].header.stamp.sec == 3)
    assert {mask.header.stamp.sec for mask in masks} == {1, 3}


def test_silence_is_an_error_that_says_where_images_are(settings: list[str], client: Client) -> None:
    states = client.diagnostics()
    client.collect("segmentation/mask")
    limit = "diagnostics.no_image_timeout_s:=0.5"
    with running_node("activity", *settings, "-p", limit) as node:
        assert client.spin_until(lambda: states and states[-1]["level"] == "2")
        assert states[-1]["message"].startswith("no image on /activity/image for ")

        def told(text: str) -> bool:
            warnings = [
                line for line in node.lines if "[WARN]" in line and "no image on /activity/image" in line
            ]
            return text in states[-1]["message"] and any(text in line for line in warnings)

        elsewhere = client.publisher("camera/image_raw")
        assert client.spin_until(lambda: told("as by image:=/activity/camera/image_raw"))
        packed = client.publisher("image/compressed", CompressedImage)
        assert client.spin_until(lambda: told("but /activity/image/compressed is published: set compressed"))
        wrong = client.publisher("image", CameraInfo)
        assert client.spin_until(lambda: told("it is of type sensor_msgs/msg/CameraInfo, not sens"))
        for publisher in (wrong, packed, elsewhere):
            client.node.destroy_publisher(publisher)
        camera = client.publisher("image")
        assert client.spin_until(lambda: told("it has 1 publisher, but nothing arrives."))

        def send() -> None:
            camera.publish(rgb_message(IMAGE))
            client.spin_until(lambda: False, 0.1)

        node.wait_for("images come on /activity/image", send)


def test_what_keeps_results_from_coming_is_told_in_the_log(settings: list[str], client: Client) -> None:
    camera = client.publisher("image")
    options = ["-p", "diagnostics.no_image_timeout_s:=0.5", "-p", "use_sim_time:=true"]
    with running_node("activity", *settings, *options) as node:
        node.wait_for("idle: nobody listens to an output of this node")
        masks = client.collect("segmentation/mask")
        client.ask(camera, rgb_message(IMAGE), masks)
        node.wait_for("use_sim_time is true, but nothing comes on /clock")
        odd = rgb_message(IMAGE)
        odd.encoding = "nonsense"

        def send_odd() -> None:  # again and again: of two in a row, a busy node may take the last alone
            camera.publish(odd)
            client.spin_until(lambda: False, 0.1)

        node.wait_for("images was rejected, the last because: ", send_odd)
        told = [line for line in node.lines if "was rejected, the last because: " in line]
        assert re.search(r"each of the last ([2-9]|\d\d+) images was rejected, .*nonsense", told[0])
        namesake = rclpy.create_node("segmentation", namespace="/activity", context=client.node.context)
        node.wait_for("another node is called /activity/segmentation as well")
        namesake.destroy_node()
        switch: Any = client.node.create_client(SetBool, "segmentation/set_enabled")
        assert client.spin_until(switch.service_is_ready)
        assert client.spin_until(switch.call_async(SetBool.Request(data=False)).done)
        node.wait_for("to resume: ros2 service call /activity/segmentation/set_enabled std_srvs/srv/SetBool")


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
