from __future__ import annotations

import pytest

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.launching.names import check_image_topic, check_log_level, full_namespace, full_topic


@pytest.mark.parametrize(
    ("pushed", "namespace", "full"),
    [
        ("", "", "/"),
        ("", "front", "/front"),
        ("car", "front", "/car/front"),
        ("/car", "front/", "/car/front"),
        ("/car", "", "/car"),
        ("/car", "/front", "/front"),
    ],
)
def test_namespace_of_a_node_inside_a_group(pushed: str, namespace: str, full: str) -> None:
    assert full_namespace(pushed, namespace) == full


@pytest.mark.parametrize(
    ("namespace", "topic", "full"),
    [
        ("/", "image", "/image"),
        ("/car", "image", "/car/image"),
        ("/car", "/image", "/image"),
        ("/car", "~/image", "/car/segmentation/image"),
    ],
)
def test_full_name_of_a_topic(namespace: str, topic: str, full: str) -> None:
    assert full_topic(namespace, "segmentation", topic) == full


@pytest.mark.parametrize("topic", ["image", "/camera/image_raw", "~/image", "camera1/image"])
def test_topics(topic: str) -> None:
    check_image_topic("image", topic, "")


@pytest.mark.parametrize("topic", ["", "/", "1/image", "a//b", "a/", "a b", "ä", "/a/compressed"])
def test_what_is_no_image_topic(topic: str) -> None:
    with pytest.raises(UserError, match=r"^image: "):
        check_image_topic("image", topic, "compressed:=true")


@pytest.mark.parametrize("level", ["debug", "WARN", "car.front.segmentation:=error"])
def test_log_levels(level: str) -> None:
    check_log_level(level)


@pytest.mark.parametrize("level", ["warning", "segmentation:=", "segmentation:=loud", "debug:"])
def test_what_is_no_log_level(level: str) -> None:
    with pytest.raises(UserError, match="must be one of debug, info, warn, error, fatal"):
        check_log_level(level)
