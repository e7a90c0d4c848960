"""The node's worker, with a network that can be held still."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from threading import Event, Thread
from typing import Any

import cv2
import numpy as np
import pytest
import tiny_model
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

rclpy = pytest.importorskip("rclpy")

from dds import Client, rgb_message, wait_until  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402
from sensor_msgs.msg import CompressedImage, Image  # noqa: E402

from kd_seg_ros.common.picture import DecodeOptions  # noqa: E402
from kd_seg_ros.common.topics import OVERLAY  # noqa: E402
from kd_seg_ros.inference.engine import EngineError, Prediction  # noqa: E402
from kd_seg_ros.inference.risk import RiskThreshold  # noqa: E402
from kd_seg_ros.inference.thresholds import (  # noqa: E402
    MinConfidenceLevels,
    apply_min_confidence,
)
from kd_seg_ros.node import outputs, recovery, segmentation  # noqa: E402
from kd_seg_ros.node.segmentation_node import SegmentationNode  # noqa: E402

HEIGHT, WIDTH = 48, 64


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)  # no red of 255


class HeldEngine:
    """Waits in every run until told to go on; fails on red images, and loses its device on white ones."""

    def __init__(self, *_: object, **__: object) -> None:
        self.card = tiny_model.card(HEIGHT, WIDTH)
        self.provider = "TestExecutionProvider"
        self.sha256 = "0" * 64
        self.size, self.dynamic = (HEIGHT, WIDTH), False
        self.running, self.go_on = Event(), Event()
        self.reopened = 0

    def warm_up(self) -> None:
        pass

    def place(self) -> AbstractContextManager[None]:
        return nullcontext()

    def reopen(self) -> None:
        self.reopened += 1

    def segment(
        self, image: np.ndarray, *, bgr: bool, out: Prediction, min_confidence: MinConfidenceLevels
    ) -> Prediction:
        self.running.set()
        assert self.go_on.wait(300)
        if image[0, 0, 0] == 255:
            raise EngineError("device lost") if image[0, 0, 1] == 255 else RuntimeError("a mistake of ours")
        out.mask[...], out.confidence[...] = tiny_model.expected(image)
        apply_min_confidence(out.mask, out.confidence, min_confidence, self.card.ignore_id)
        return out


@pytest.fixture
def held_node(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The parts of a node in this process."""
    monkeypatch.setattr(segmentation, "Engine", HeldEngine)
    monkeypatch.setattr(recovery, "PAUSES_S", (0.0, 0.0, 0.0))
    options = ["provider:=cpu", "active:=always", "diagnostics.camera_fault_s:=0.0"]
    options.append("diagnostics.frozen_camera_s:=0.0")
    given = [word for option in options for word in ("-p", option)]
    rclpy.init(args=["--ros-args", "-r", "__ns:=/held", *given])
    node = SegmentationNode("segmentation")
    parts: Any = node.segmentation
    yield parts
    parts._engine.go_on.set()
    node.stop()
    node.destroy_node()
    rclpy.try_shutdown()


def plain(value: int, second: int) -> Image:
    return rgb_message(np.full((HEIGHT, WIDTH, 3), value, np.uint8), second)


def red(second: int) -> Image:
    return rgb_message(np.full((HEIGHT, WIDTH, 3), (255, 0, 0), np.uint8), second)


def reported(node: Any) -> tuple[bytes, str]:
    report = node._reporting.report()
    return report.level, report.message


def totals(node: Any) -> dict[str, int]:
    return node._worker.statistics.summary().totals


def test_while_the_network_is_busy_only_the_newest_frame_is_kept(held_node: Any) -> None:
    published: list[int] = []
    held_node._outputs.publish = lambda header, _: published.append(header.stamp.sec)
    held_node._on_image(plain(0, 1))
    assert held_node._engine.running.wait(300)
    for second in (2, 3, 4):
        held_node._on_image(plain(0, second))  # returns, though the network is held
    held_node._engine.go_on.set()
    assert wait_until(lambda: totals(held_node).get("published") == 2)
    assert published == [1, 4]
    assert totals(held_node) == {"received": 4, "overwritten": 2, "published": 2}


def test_a_frame_counts_as_segmented_though_ros_ends_between_its_two_maps(held_node: Any) -> None:
    def publish(*_: object) -> None:
        rclpy.try_shutdown()  # as a signal does after the mask has gone out
        raise RuntimeError("the context is no longer valid")

    assert held_node.idleness()
    held_node._outputs.publish = publish
    held_node._engine.go_on.set()
    held_node._on_image(plain(0, 1))
    assert wait_until(lambda: not held_node._worker._thread.is_alive())
    assert "published" not in totals(held_node)
    assert not held_node.idleness()


def test_a_frame_that_fails_is_counted_and_the_node_lives_on(held_node: Any) -> None:
    held_node._engine.go_on.set()
    held_node._on_image(red(1))
    assert wait_until(lambda: totals(held_node).get("failed") == 1)
    assert reported(held_node) == (b"\x02", "the network failed on 1 frames")
    held_node._on_image(plain(0, 2))
    assert wait_until(lambda: totals(held_node).get("published") == 1)
    assert reported(held_node)[0] == b"\x00"
    assert held_node._engine.reopened == 0


def test_a_lost_device_is_opened_again(held_node: Any) -> None:
    held_node._engine.go_on.set()
    for second in range(1, 9):  # twice as many failures as attempts, but never without a success in between
        held_node._on_image(plain(255, second) if second % 2 else plain(0, second))
        assert wait_until(lambda: sum(totals(held_node).values()) == 2 * second)  # noqa: B023
    assert totals(held_node) == {"received": 8, "failed": 4, "published": 4}
    assert held_node._engine.reopened == 4
    assert wait_until(lambda: reported(held_node)[0] == b"\x00")


def test_a_device_that_stays_lost_ends_the_node(held_node: Any) -> None:
    reports: list[tuple[bytes, str]] = []
    held_node._diagnostics.publish = lambda report: reports.append((report.level, report.message))
    held_node._engine.go_on.set()
    for second in range(1, 5):
        assert rclpy.ok()
        held_node._on_image(plain(255, second))
        assert wait_until(lambda: totals(held_node).get("failed") == second)  # noqa: B023
    assert wait_until(lambda: not rclpy.ok())
    assert held_node._engine.reopened == 3
    assert held_node.failure == "device lost; given up after 3 attempts"
    assert reports == [(b"\x02", held_node.failure)], "the last thing that /diagnostics hears"


def test_unsure_pixels_have_no_class_from_the_moment_it_is_asked_for(held_node: Any) -> None:
    masks: list[np.ndarray] = []
    held_node._outputs.publish = lambda *_: masks.append(held_node._outputs._buffers.mask.copy())
    held_node._engine.go_on.set()
    image = picture(0)
    mask, confidence = tiny_model.expected(image)
    settings = ((0.0, 0.0), (0.5, 0.0), (0.1, 0.0), (0.1, 0.9), (0.95, 0.9))
    for second, (threshold, of_cars) in enumerate(settings, start=1):
        results = held_node.node.set_parameters(
            [
                Parameter("min_confidence", value=threshold),
                Parameter("class_min_confidence.traffic_light", value=of_cars),
            ]
        )
        assert all(result.successful for result in results)
        held_node._on_image(rgb_message(image, second))
        assert wait_until(lambda: len(masks) == second)  # noqa: B023
        lowest = np.where(mask == 6, max(threshold, of_cars), threshold)
        np.testing.assert_array_equal(masks[-1], np.where(confidence / 255 < lowest, 255, mask))


def test_rules_of_the_card_hold_from_the_moment_they_are_asked_for(held_node: Any) -> None:
    node, thresholds = held_node.node, held_node._thresholds
    promise = RiskThreshold(("traffic light",), "false", 0.1, "full", 180, 0.05, 0.9, 99, "image")
    thresholds._card = tiny_model.card(HEIGHT, WIDTH, risk=(promise,))

    def answer(text: str) -> tuple[bool, str]:
        (result,) = node.set_parameters([Parameter("risk", value=text)])
        return result.successful, result.reason

    assert answer("traffic_light=0.1") == (True, "")
    assert thresholds.levels[6] == 180
    assert not thresholds.levels[:6].any()
    refused, reason = answer("road=0.1")
    assert not refused
    assert reason.startswith(
        "parameter 'risk': the model file promises nothing for road=0.1; it has thresholds"
    )
    assert thresholds.levels[6] == 180, "what was refused changes nothing"
    node.set_parameters([Parameter("min_confidence", value=0.9)])
    assert (thresholds.levels[6], thresholds.levels[0]) == (230, 230), "the higher one counts"
    assert answer("") == (True, "")


def test_a_rule_may_stand_for_a_number(held_node: Any) -> None:
    node, thresholds = held_node.node, held_node._thresholds
    promise = RiskThreshold(("road",), "false", 0.01, "full", 204, 0.005, 0.9, 99, "image")
    thresholds._card = tiny_model.card(HEIGHT, WIDTH, risk=(promise,))
    announced: list[float] = []
    thresholds._label_info = type("Announced", (), {"publish": announced.append, "close": lambda: None})

    def answer(**values: Any) -> str:
        given = [Parameter(name, value=value) for name, value in values.items()]
        result = node.set_parameters_atomically(given)
        assert result.successful == (not result.reason)
        return str(result.reason)

    assert answer(min_confidence="road@0.01") == ""
    assert (thresholds.levels[0], int(thresholds.levels[1:].max())) == (204, 0)
    assert "has thresholds for road=0.01" in answer(min_confidence="road@0.5")
    assert "did you mean 'road'" in answer(drivable_min_confidence="raod@0.01")
    for wrong in (True, 1, [0.5], 1.5, -0.1):
        assert answer(min_confidence=wrong), wrong
    assert answer(min_confidence=0.1, risk="sky@0.1"), "all of them or none"
    assert thresholds.levels[0] == 204, "what was refused changes nothing"
    assert "parameter 'min_confidence' must be a number" in answer(min_confidence=None)
    assert thresholds.drivable.levels[0] == 204, "the strictest rule of the card"
    assert answer(drivable_min_confidence=0.9) == ""
    assert thresholds.drivable.levels[0] == 230
    assert answer(min_confidence=0.4, risk="road=0.01") == ""
    assert (thresholds.levels[0], thresholds.levels[1]) == (204, 102)
    assert answer(risk="", min_confidence=0.0) == ""
    assert announced == [0.8, 0.8, 0.8, 0.0]


def test_pictures_for_people_are_made_for_listeners_only(
    held_node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def note(name: str) -> None:
        real = getattr(outputs, name)

        def call(*given: Any) -> Any:
            made.append(name)
            return real(*given)

        monkeypatch.setattr(outputs, name, call)

    note("blend")
    note("png_message")
    held_node._engine.go_on.set()
    held_node._on_image(plain(0, 1))
    assert wait_until(lambda: totals(held_node).get("published") == 1)
    client = Client("held")
    client.collect("segmentation/overlay")
    assert wait_until(lambda: held_node._outputs.heard(OVERLAY))
    assert not made
    held_node._on_image(plain(0, 2))
    assert wait_until(lambda: made == ["blend"])
    client.close()


def test_a_slow_picture_does_not_hold_up_the_masks(held_node: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    blending, go_on = Event(), Event()

    blended: list[int] = []

    def blend(image: np.ndarray, *_: object) -> np.ndarray:
        blended.append(len(handed_over))
        blending.set()
        assert go_on.wait(300)
        return image

    monkeypatch.setattr(outputs, "blend", blend)
    handed_over: list[int] = []
    real = held_node._outputs.publish_on_demand

    def hand_over(header: Any, picture: Any) -> None:
        real(header, picture)
        handed_over.append(header.stamp.sec)

    monkeypatch.setattr(held_node._outputs, "publish_on_demand", hand_over)
    held_node._engine.go_on.set()
    client = Client("held")
    overlays = client.collect("segmentation/overlay")
    assert wait_until(lambda: held_node._outputs.heard(OVERLAY))
    held_node._on_image(plain(1, 1))
    assert blending.wait(300)
    for second in (2, 3, 4):
        held_node._on_image(plain(second, second))
        assert wait_until(lambda: handed_over[-1:] == [second])  # noqa: B023
    go_on.set()
    # The first may be replaced on its way: the topic keeps the newest.
    assert client.spin_until(lambda: [message.header.stamp.sec for message in overlays[-1:]] == [4])
    assert len(blended) == 2, "the newest picture wins, too"
    client.close()


def test_a_damaged_frame_is_used_and_counted_where_that_is_asked_for(held_node: Any) -> None:
    pytest.importorskip("simplejpeg")
    held_node._engine.go_on.set()
    worker = held_node._worker
    worker._compressed = True
    data = cv2.imencode(".jpg", picture(1))[1].tobytes()
    cut = CompressedImage(format="jpeg", data=data[: len(data) // 2])
    held_node._on_image(cut)
    assert wait_until(lambda: totals(held_node).get("rejected") == 1)
    worker._decoding = DecodeOptions(use_damaged=True)
    held_node._on_image(cut)
    assert wait_until(lambda: totals(held_node).get("published") == 1)
    assert totals(held_node) == {"received": 2, "rejected": 1, "damaged": 1, "published": 1}


def test_stopping_waits_for_the_frame_under_way_only(held_node: Any) -> None:
    held_node._on_image(plain(0, 1))
    assert held_node._engine.running.wait(300)
    held_node._on_image(plain(0, 2))
    stopper = Thread(target=held_node.deactivate)
    stopper.start()
    assert wait_until(lambda: held_node._worker._mailbox._closed)
    held_node._engine.go_on.set()
    stopper.join(30)
    assert not stopper.is_alive()
    assert totals(held_node) == {"received": 2, "published": 1, "overwritten": 1}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    encoding=st.sampled_from(
        ["rgb8", "bgr8", "mono8", "rgba8", "bayer_rggb8", "uyvy", "mono16", "32FC1", "", "x"]
    )
    | st.text(max_size=8),
    height=st.integers(0, 9) | st.just(2**32 - 1),
    width=st.integers(0, 9) | st.just(2**32 - 1),
    step=st.integers(0, 40) | st.just(2**32 - 1),
    data=st.binary(max_size=400),
)
def test_any_message_is_counted_once_and_the_node_lives_on(
    held_node: Any, encoding: str, height: int, width: int, step: int, data: bytes
) -> None:
    held_node._engine.go_on.set()
    held_node._engine.dynamic = True
    before = totals(held_node)
    held_node._on_image(Image(encoding=encoding, height=height, width=width, step=step, data=data))
    ends = ("published", "rejected", "failed")

    def ended() -> int:
        return sum(totals(held_node).get(end, 0) - before.get(end, 0) for end in ends)

    assert wait_until(lambda: ended() == 1)
    assert held_node._worker._thread.is_alive()
    assert totals(held_node).get("failed", 0) == before.get("failed", 0) or data[:3] == b"\xff" * 3
