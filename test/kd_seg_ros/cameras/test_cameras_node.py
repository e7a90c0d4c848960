"""Several cameras in one process, over DDS, and what the program refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy")

from dds import Client, as_array, rgb_message, start_node, wait_until
from tiny_model import expected, write_tiny_model

from distill.benchmarks.one_convolution import Kind, write_model
from kd_seg_ros.cameras import cameras_node
from kd_seg_ros.inference.engine import Engine

PROGRAM = ("-m", "kd_seg_ros.cameras.cameras_node")


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 200, (48, 64, 3), np.uint8)


def camera_list(folder: Path, *cameras: dict[str, object], **defaults: object) -> Path:
    path = folder / "cameras.yaml"
    path.write_text(json.dumps({"defaults": {"provider": "cpu", **defaults}, "cameras": list(cameras)}))
    return path


def test_each_camera_has_its_own_answers_and_one_network(tmp_path: Path) -> None:
    model = write_tiny_model(tmp_path / "tiny.onnx", 48, 64)
    quiet = {"diagnostics.camera_fault_s": 0.0, "diagnostics.frozen_camera_s": 0.0}
    cameras = camera_list(
        tmp_path,
        {"name": "front", "image": "image_raw"},
        {"name": "rear", "image": "/back/image", "parameters": {"min_confidence": 1.0}},
        model=str(model),
        parameters=quiet,
    )
    arguments = ("--cameras", str(cameras), "--namespace", "van")
    with start_node(*arguments, "--ros-args", "-r", "__ns:=/fleet", program=PROGRAM) as node:
        node.wait_for("cameras: 2, networks in memory: 1")
        client = Client("fleet/van")
        try:
            for number, (name, topic) in enumerate([("front", "front/image_raw"), ("rear", "/back/image")]):
                masks = client.collect(f"{name}/segmentation/mask")
                image = picture(number)
                answer = client.ask(client.publisher(topic), rgb_message(image, second=5 + number), masks)
                mask, confidence = expected(image)
                if name == "rear":
                    mask = np.where(confidence < 255, 255, mask)
                np.testing.assert_array_equal(as_array(answer), mask)
                assert (answer.header.stamp.sec, answer.header.frame_id) == (5 + number, "camera")
            nodes = lambda: {  # noqa: E731
                f"{space}/{name}" for name, space in client.node.get_node_names_and_namespaces()
            }
            assert wait_until(
                lambda: {"/fleet/van/front/segmentation", "/fleet/van/rear/segmentation"} <= nodes()
            )
        finally:
            client.close()
        assert node.stop() == 0
    assert not any("Traceback" in line for line in node.lines)


def test_cameras_in_batches_have_their_own_answers_and_headers(tmp_path: Path) -> None:
    model = write_model(tmp_path / "batch.onnx", Kind(size=(48, 64), batch=True, half=False))
    engine = Engine(model, "cpu", threads=1)
    cameras = camera_list(
        tmp_path,
        {"name": "front", "image": "image"},
        {"name": "rear", "image": "image", "parameters": {"min_confidence": 1.0}},
        model=str(model),
        parameters={"active": "always", "threads": 1},
    )
    with start_node("--cameras", str(cameras), "--batch", "true", program=PROGRAM) as node:
        node.wait_for("cameras: 2, networks in memory: 1")
        client = Client("")
        try:
            names = ("front", "rear")
            masks = {name: client.collect(f"{name}/segmentation/mask") for name in names}
            publishers = {name: client.publisher(f"{name}/image") for name in names}
            images = {name: picture(number) for number, name in enumerate(names)}
            sent = {name: rgb_message(images[name], second=5 + n) for n, name in enumerate(names)}

            def answered() -> bool:
                for name in names:
                    publishers[name].publish(sent[name])
                return all(masks.values())

            assert client.spin_until(answered)
            for number, name in enumerate(names):
                expected = engine.segment(images[name])
                mask = expected.mask
                if name == "rear":
                    mask = np.where(expected.confidence < 255, 255, mask)
                np.testing.assert_array_equal(as_array(masks[name][0]), mask)
                header = masks[name][0].header
                assert (header.stamp.sec, header.frame_id) == (5 + number, "camera")
        finally:
            client.close()
        assert node.stop() == 0
    assert not any("Traceback" in line for line in node.lines)


@pytest.mark.parametrize(
    ("camera", "line"),
    [
        ({"name": "front"}, "'image' is missing"),
        ({"name": "front", "image": "i", "model": "no.onnx"}, "no such file"),
        ({"name": "front", "image": "i", "parameters": {"rotate": 45}}, "camera 'front': parameter 'rotate'"),
        ({"name": "front", "image": "i", "parameters": {"rotat": 90}}, "did you mean 'rotate'"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_camera(
    tmp_path: Path, camera: dict[str, object], line: str, capfd: pytest.CaptureFixture[str]
) -> None:
    model = write_tiny_model(tmp_path / "tiny.onnx", 48, 64)
    cameras = camera_list(tmp_path, {"name": "good", "image": "g"}, camera, model=str(model))
    with start_node("--cameras", str(cameras), program=PROGRAM) as node:
        assert node.wait() == 2
    (error,) = [text for text in node.lines if text.startswith("error: ")]
    assert line in error
    assert not any("Traceback" in text for text in node.lines)


@pytest.mark.parametrize(
    ("camera", "before", "arguments", "namespace"),
    [
        ("front", "", [], "/front"),
        ("front", "van", [], "/van/front"),
        ("/front", "van", [], "/van/front"),
        ("front", "", ["-r", "__ns:=/fleet"], "/fleet/front"),
        ("/front", "", ["-r", "__ns:=/fleet"], "/front"),
        ("front", "/van/", ["-r", "__ns:=/fleet"], "/van/front"),
    ],
)
def test_namespaces_are_those_of_processes_of_their_own(
    camera: str, before: str, arguments: list[str], namespace: str
) -> None:
    assert cameras_node._namespace(camera, before, arguments) == namespace
