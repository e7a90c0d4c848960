"""Bags of several files whose log times go back, and bags whose metadata somebody has edited."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import pytest
import yaml
from demo_drive import PERIOD, START, frame, image_message, read_bag, stamp_of, write_messages
from segmented_bag import CAMERA, HEIGHT, MASK, WIDTH, check_maps, run
from tiny_model import write_tiny_model

from kd_seg_ros.bags.cameras import CameraTopics
from kd_seg_ros.bags.segmented_frames import segmented_frames
from kd_seg_ros.common.errors import UserError

COUNT = 8
LABELS = "/camera/labels"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("model") / "tiny.onnx", HEIGHT, WIDTH)


def write_images(path: Path, first: int, start: int) -> Path:
    """Frames and labels under rising header stamps; ``start`` is the first log time."""
    entries: list[tuple[str, int, Any]] = []
    for number in range(first, first + COUNT):
        image, labels = frame(number)
        time, stamp = start + (number - first) * PERIOD, START + number * PERIOD
        entries.append((CAMERA, time, image_message(image, stamp)))
        entries.append((LABELS, time, image_message(labels, stamp)))
    return write_messages(path, entries)


def joined(path: Path, *bags: Path) -> Path:
    """One bag of several files, as ``ros2 bag record`` splits."""
    path.mkdir()
    documents = [yaml.safe_load((bag / "metadata.yaml").read_text()) for bag in bags]
    whole = documents[0]["rosbag2_bagfile_information"]
    for bag, document in zip(bags, documents, strict=True):
        part = document["rosbag2_bagfile_information"]
        shutil.copy(bag / part["relative_file_paths"][0], path)
        if part is not whole:
            for key in ("relative_file_paths", "files"):
                whole[key] += part[key]
            whole["message_count"] += part["message_count"]
            for mine, other in zip(
                whole["topics_with_message_count"], part["topics_with_message_count"], strict=True
            ):
                mine["message_count"] += other["message_count"]
    (path / "metadata.yaml").write_text(yaml.safe_dump(documents[0]))
    return path


@pytest.fixture
def stepped(tmp_path: Path) -> Path:
    """A drive in two files; the clock was set back by 5 s between them."""
    first = write_images(tmp_path / "first", 0, START)
    return joined(tmp_path / "drive", first, write_images(tmp_path / "second", COUNT, START - 5 * 10**9))


def test_a_clock_set_back_loses_no_frame_in_bag_video_and_scores(
    stepped: Path, model: Path, tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    film = tmp_path / "film.gif"
    assert run(stepped, model, tmp_path / "out", "--labels-topic", LABELS, "--video", film) == 0
    check_maps(tmp_path / "out", [frame(n)[0] for n in range(2 * COUNT)])
    assert [stamp_of(m) for m in read_bag(tmp_path / "out")[MASK]] == [
        START + n * PERIOD for n in range(2 * COUNT)
    ]
    scores = json.loads((tmp_path / "out" / "metrics.json").read_text())["scores"]
    assert scores["full"]["images"] == 2 * COUNT
    found, pictures = cv2.imreadmulti(str(film))
    assert found
    assert len(pictures) == 2 * COUNT


def test_maps_of_another_order_are_refused_rather_than_left_out(
    stepped: Path, model: Path, tmp_path: Path
) -> None:
    assert run(stepped, model, tmp_path / "out") == 0
    turned = joined(tmp_path / "turned", tmp_path / "second", tmp_path / "first")
    with pytest.raises(UserError, match=r"have no image on /camera/image_raw of .*: segment it again"):
        list(segmented_frames(turned, CameraTopics(CAMERA, False, "/segmentation"), tmp_path / "out"))


@pytest.mark.parametrize("offered", ["", []])
def test_a_qos_edited_in_metadata_is_no_damage(
    offered: object, model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bag = write_images(tmp_path / "bag", 0, START)
    document = yaml.safe_load((bag / "metadata.yaml").read_text())
    for topic in document["rosbag2_bagfile_information"]["topics_with_message_count"]:
        topic["topic_metadata"]["offered_qos_profiles"] = offered
    (bag / "metadata.yaml").write_text(yaml.safe_dump(document))
    assert run(bag, model, tmp_path / "out") == 0
    check_maps(tmp_path / "out", [frame(n)[0] for n in range(COUNT)])


def test_a_damaged_image_does_not_keep_the_others_from_being_scored(
    model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    from rosbags.rosbag2 import StoragePlugin, Writer

    from kd_seg_ros.bags.messages import IMAGE, STORE

    with Writer(tmp_path / "bag", version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        cameras = writer.add_connection(CAMERA, IMAGE, typestore=STORE)
        truth = writer.add_connection(LABELS, IMAGE, typestore=STORE)
        for number in range(3):
            time = START + number * PERIOD
            pixels, labels = frame(number)
            image = bytes(STORE.serialize_cdr(image_message(pixels, time), IMAGE))
            writer.write(cameras, time, image if number != 1 else image[:5])
            writer.write(truth, time, bytes(STORE.serialize_cdr(image_message(labels, time), IMAGE)))
    assert run(tmp_path / "bag", model, tmp_path / "out", "--labels-topic", LABELS) == 0
    assert "warning: 1 frames could not be decoded" in capfd.readouterr().err
    document = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert document["scores"]["full"]["images"] == 2
