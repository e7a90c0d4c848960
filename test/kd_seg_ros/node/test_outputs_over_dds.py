"""Smaller maps with their calibration, and masks without loss as PNG."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy")

from dds import Client, as_array, rgb_message, running_node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from tiny_model import card, expected, write_tiny_model

from kd_seg_ros.inference.legend import legend_of
from kd_seg_ros.inference.risk import RiskThreshold

HEIGHT, WIDTH = 48, 64
IMAGE = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


@pytest.fixture
def client() -> Iterator[Client]:
    client = Client("outputs")
    yield client
    client.close()


def settings(folder: Path, **options: Any) -> list[str]:
    model = write_tiny_model(folder / "tiny.onnx", HEIGHT, WIDTH, **options)
    return ["-p", f"model:={model}", "-p", "provider:=cpu", "-r", "image:=camera/image_raw"]


def test_smaller_maps_come_with_the_calibration_that_fits_them(tmp_path: Path, client: Client) -> None:
    infos = client.collect("segmentation/camera_info", CameraInfo)
    masks, confidences = client.collect("segmentation/mask"), client.collect("segmentation/confidence")
    overlays = client.collect("segmentation/overlay")
    calibration = CameraInfo(height=HEIGHT, width=WIDTH)
    calibration.k[0] = calibration.k[4] = 50.0
    calibration.k[2], calibration.k[5] = 31.5, 23.5
    camera, of_camera = (
        client.publisher("camera/image_raw"),
        client.publisher("camera/camera_info", CameraInfo),
    )
    with running_node("outputs", *settings(tmp_path), "-p", "output_scale:=0.25"):
        message = rgb_message(IMAGE, second=8, frame_id="left")

        def answered() -> bool:
            of_camera.publish(calibration)
            camera.publish(message)
            return bool(infos and overlays)

        assert client.spin_until(answered)
        assert client.spin_until(lambda: masks and confidences)
    for answer, whole in zip((masks[-1], confidences[-1]), expected(IMAGE), strict=True):
        assert answer.header == message.header
        np.testing.assert_array_equal(as_array(answer), whole[2::4, 2::4])
    info = infos[-1]
    assert info.header == message.header
    assert (info.height, info.width) == (HEIGHT // 4, WIDTH // 4)
    assert (info.k[0], info.k[4], info.k[2], info.k[5]) == (12.5, 12.5, 7.5, 5.5)
    assert (overlays[-1].height, overlays[-1].width) == (HEIGHT, WIDTH)


def test_a_camera_mounted_on_its_side_gives_upright_maps_and_a_calibration_of_them(
    tmp_path: Path, client: Client
) -> None:
    infos = client.collect("segmentation/camera_info", CameraInfo)
    masks, overlays = client.collect("segmentation/mask"), client.collect("segmentation/overlay")
    calibration = CameraInfo(height=WIDTH, width=HEIGHT)
    calibration.k = [50.0, 0.0, 20.0, 0.0, 60.0, 30.0, 0.0, 0.0, 1.0]
    camera = client.publisher("camera/image_raw")
    of_camera = client.publisher("camera/camera_info", CameraInfo)
    with running_node("outputs", *settings(tmp_path), "-p", "rotate:=90"):
        message = rgb_message(np.ascontiguousarray(np.rot90(IMAGE)), second=8, frame_id="left")

        def answered() -> bool:
            of_camera.publish(calibration)
            camera.publish(message)
            return bool(infos and masks and overlays)

        assert client.spin_until(answered)
    assert masks[-1].header == infos[-1].header == message.header
    np.testing.assert_array_equal(as_array(masks[-1]), expected(IMAGE)[0])
    assert (overlays[-1].height, overlays[-1].width) == (HEIGHT, WIDTH)
    info = infos[-1]
    assert (info.height, info.width) == (HEIGHT, WIDTH)
    # Rows become columns from the right: the axis at row 30 of 64 lies at column 63 - 30.
    assert info.k.tolist() == [60.0, 0.0, 33.0, 0.0, 50.0, 20.0, 0.0, 0.0, 1.0]


def test_a_mask_without_loss_as_png(tmp_path: Path, client: Client) -> None:
    packed = client.collect("segmentation/mask/compressed", CompressedImage)
    message = rgb_message(IMAGE, second=4)
    with running_node("outputs", *settings(tmp_path)):
        answer = client.ask(client.publisher("camera/image_raw"), message, packed)
    assert answer.header == message.header
    mask = cv2.imdecode(np.frombuffer(answer.data, np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(mask, expected(IMAGE)[0])


@pytest.mark.parametrize("encoding", ["mono8", "32FC1"])
def test_drivable_pixels_by_the_rule_of_the_card(tmp_path: Path, client: Client, encoding: str) -> None:
    promise = RiskThreshold(("road",), "false", 0.01, "full", 150, 0.005, 0.9, 99, "image")
    found = client.collect("segmentation/drivable")
    image = IMAGE.copy()
    image[:, ::2, 0] = 5  # road
    message = rgb_message(image, second=6, frame_id="left")
    options = [*settings(tmp_path, risk=(promise,)), "-p", f"confidence_encoding:={encoding}"]
    options += ["-p", "min_confidence:=0.1", "-p", "output_scale:=0.5"]
    with running_node("outputs", *options):
        answer = client.ask(client.publisher("camera/image_raw"), message, found)
    assert (answer.header, answer.encoding) == (message.header, "mono8")
    mask, confidence = expected(image)
    wanted = np.where(mask == 0, 255, 0)
    wanted[(mask == 0) & (confidence < 150)] = 127
    wanted[confidence < 25.5] = 127
    np.testing.assert_array_equal(as_array(answer), wanted[1::2, 1::2])


@pytest.mark.parametrize("channels", [False, True])
def test_blue_green_red_cameras_and_a_model_of_any_size(
    tmp_path: Path, client: Client, channels: bool
) -> None:
    masks, overlays = client.collect("segmentation/mask"), client.collect("segmentation/overlay")
    with running_node("outputs", *settings(tmp_path, channels=channels, dynamic=True)) as node:
        camera = client.publisher("camera/image_raw")
        for second, (height, width) in enumerate([(HEIGHT, WIDTH), (31, 90), (HEIGHT, WIDTH)], start=1):
            image = np.random.default_rng(second).integers(0, 256, (height, width, 3), np.uint8)
            message: Image = rgb_message(image[..., ::-1].copy(), second)
            message.encoding = "bgr8"
            answer = client.ask(camera, message, masks)
            np.testing.assert_array_equal(as_array(answer), expected(image)[0])
        assert not any("resized" in line for line in node.lines)
        overlay = client.ask(camera, message, overlays)
    from kd_seg_ros.common.classes import PALETTE
    from kd_seg_ros.inference.colour_vision import class_marks

    mask = expected(image)[0]
    wanted = 0.5 * image + 0.5 * np.array(PALETTE)[mask]
    hatched = np.array([mark.pattern for mark in class_marks(PALETTE)], bool)[mask]
    off = np.abs(as_array(overlay) - wanted[..., ::-1]).max(axis=2) > 0.51
    named = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    legend_of(card(HEIGHT, WIDTH)).draw_over(named, mask)
    rows = int(named.any(axis=(1, 2)).sum())
    assert 0 < rows <= HEIGHT // 3
    np.testing.assert_array_equal(as_array(overlay)[:rows], named[:rows, :, ::-1])
    off, hatched = off[rows:], hatched[rows:]
    assert not off[~hatched].any()
    assert off.any()
