"""Real 1920×1080 camera frames through the node in its own process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy")

from dds import ROOT, Client, as_array, rgb_message, running_node
from tiny_model import write_tiny_model

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.share import share_path
from kd_seg_ros.inference.engine import Engine

FRAMES = sorted((ROOT.parent / "shared/data/acdc_mini/rgb_anon").glob("*/val/*/*_rgb_anon.png"))
pytestmark = pytest.mark.skipif(not FRAMES, reason="no real frames next to the checkout")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        return share_path("resource/demo_student.onnx")
    except UserError:
        return write_tiny_model(tmp_path_factory.mktemp("model") / "tiny.onnx", 1080, 1920)


@pytest.fixture
def client() -> Iterator[Client]:
    client = Client("real")
    yield client
    client.close()


def test_one_mask_and_one_confidence_a_frame_as_the_engine_gives_them(model: Path, client: Client) -> None:
    engine = Engine(model, "cpu")
    camera = client.publisher("image")
    masks, confidences = client.collect("segmentation/mask"), client.collect("segmentation/confidence")
    with running_node("real", "-p", f"model:={model}", "-p", "provider:=cpu"):
        # A frame nobody counts, sent until the connections stand; then each frame exactly once.
        black = rgb_message(np.zeros((1080, 1920, 3), np.uint8), second=1)
        client.ask(camera, black, masks)
        client.ask(camera, black, confidences)
        for second, path in enumerate(FRAMES, start=100):
            bgr = cv2.imread(str(path))
            assert bgr is not None
            image = np.asarray(bgr[..., ::-1], np.uint8)
            message = rgb_message(image, second, frame_id=path.parts[-4])
            camera.publish(message)
            for answers in (confidences, masks):

                def arrived(answers: list[Any] = answers, second: int = second) -> bool:
                    return any(answer.header.stamp.sec == second for answer in answers)

                assert client.spin_until(arrived)
            client.spin_until(lambda: False, 0.2)  # time for a second answer that must not come
            (mask,) = [answer for answer in masks if answer.header.stamp.sec == second]
            (confidence,) = [answer for answer in confidences if answer.header.stamp.sec == second]
            assert mask.header == confidence.header == message.header
            assert (mask.height, mask.width) == (confidence.height, confidence.width) == (1080, 1920)
            wanted = engine.segment(image)
            np.testing.assert_array_equal(as_array(mask), wanted.mask)
            np.testing.assert_array_equal(as_array(confidence), wanted.confidence)
            assert set(np.unique(as_array(mask))) <= {*range(19), 255}
            assert len(np.unique(as_array(mask))) > 1
            assert as_array(confidence).max() > 0
