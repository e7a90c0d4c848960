from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from demo_drive import START, STORE, frame, image_message, write_drive, write_messages

from kd_seg_ros.bags.cameras import CameraTopics, choose_cameras
from kd_seg_ros.bags.messages import COMPRESSED_IMAGE
from kd_seg_ros.bags.reading import open_bag
from kd_seg_ros.common.errors import UserError

IMAGE = image_message(frame(0)[0], START)


def choose(bag: Path, *wanted: str, labels: str | None = None) -> list[CameraTopics]:
    with open_bag(bag) as reader:
        return choose_cameras(reader, bag, list(wanted) or None, labels)


def bag_of(path: Path, *topics: str) -> Path:
    text = STORE.types["std_msgs/msg/String"](data="x")
    squeezed = STORE.types[COMPRESSED_IMAGE](header=IMAGE.header, format="png", data=np.zeros(3, np.uint8))
    kinds = {"compressed": squeezed, "note": text}
    return write_messages(path, [(t, START, kinds.get(t.rpartition("/")[2], IMAGE)) for t in topics])


def test_the_only_camera_answers_like_the_node(tmp_path: Path) -> None:
    (camera,) = choose(write_drive(tmp_path / "bag", 1))  # has /camera/labels, too
    assert (camera.topic, camera.compressed) == ("/camera/image_raw", False)
    assert (camera.mask, camera.confidence) == ("/segmentation/mask", "/segmentation/confidence")
    assert camera.sibling("condition") == "/camera/condition"


@pytest.mark.parametrize(
    ("topics", "masks"),
    [
        (["/front/image_raw", "/rear/image_raw"], ["/front/segmentation/mask", "/rear/segmentation/mask"]),
        (["/left", "/right"], ["/left/segmentation/mask", "/right/segmentation/mask"]),
        (
            ["/cam/image/compressed", "/rear/image"],
            ["/cam/segmentation/mask", "/rear/segmentation/mask"],
        ),
        (
            ["/cam/image", "/cam/image/compressed"],
            ["/cam/image/segmentation/mask", "/cam/image/compressed/segmentation/mask"],
        ),
    ],
)
def test_several_cameras_answer_in_namespaces(tmp_path: Path, topics: list[str], masks: list[str]) -> None:
    cameras = choose(bag_of(tmp_path / "bag", *topics), *topics)
    assert [camera.mask for camera in cameras] == masks
    assert [camera.compressed for camera in cameras] == [t.endswith("/compressed") for t in topics]


@pytest.mark.parametrize(
    ("topics", "wanted", "found"),
    [
        (["/cam/image/compressed"], "/cam/image", "/cam/image/compressed"),
        (["/cam/image/compressed"], "/cam/image/compressed", "/cam/image/compressed"),
        (["/cam/image"], "/cam/image/compressed", "/cam/image"),
        (["/cam/image"], "/cam/image", "/cam/image"),
    ],
)
def test_a_topic_is_found_with_and_without_compressed(
    topics: list[str], wanted: str, found: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (camera,) = choose(bag_of(tmp_path / "bag", *topics), wanted)
    assert camera.topic == found
    assert camera.compressed == found.endswith("/compressed")
    assert not caplog.records


@pytest.mark.parametrize("wanted", ["/cam/image", "/cam/image/compressed"])
def test_of_both_forms_the_name_as_given_counts_and_the_other_is_told(
    wanted: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bag = bag_of(tmp_path / "bag", "/cam/image", "/cam/image/compressed")
    (camera,) = choose(bag, wanted)
    assert camera.topic == wanted
    (record,) = caplog.records
    assert record.getMessage().startswith(f"{wanted} is taken; the bag has /cam/image")
    caplog.clear()
    assert len(choose(bag, "/cam/image", "/cam/image/compressed")) == 2
    assert not caplog.records


@pytest.mark.parametrize(
    ("topics", "wanted", "message"),
    [
        (["/a/note"], [], "the bag has no image topics; it has /a/note"),
        (["/a/labels"], [], "the bag has no image topics"),
        (["/left", "/right"], [], "choose one or more of its image topics with --topic: /left, /right"),
        (
            ["/left", "/a/note"],
            ["/a/note"],
            "--topic /a/note is of type std_msgs/msg/String; its image topics",
        ),
        (["/left"], ["/up"], "--topic /up is not in .*; its image topics are /left"),
    ],
)
def test_what_cannot_be_chosen(tmp_path: Path, topics: list[str], wanted: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        choose(bag_of(tmp_path / "bag", *topics), *wanted)


def test_the_topic_of_labels_is_no_camera(tmp_path: Path) -> None:
    (camera,) = choose(bag_of(tmp_path / "bag", "/left", "/truth"), labels="/truth")
    assert camera.topic == "/left"
