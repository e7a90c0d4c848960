"""The list of topics."""

from __future__ import annotations

import pytest

from kd_seg_ros.common.topics import LABEL_INFO, MASK, OUTPUTS, SCALED_CAMERA_INFO, OutputTopic, message_class


def test_names_are_relative_and_unique() -> None:
    """Consumers such as Nav2's costmap layer rely on these names."""
    assert [topic.name for topic in OUTPUTS] == [
        "segmentation/mask",
        "segmentation/mask/compressed",
        "segmentation/confidence",
        "segmentation/drivable",
        "segmentation/overlay",
        "segmentation/label_info",
        "segmentation/camera_info",
    ]


def test_what_describes_the_maps_does_not_make_the_network_run() -> None:
    assert [topic for topic in OUTPUTS if not topic.activates] == [LABEL_INFO, SCALED_CAMERA_INFO]
    assert [topic for topic in OUTPUTS if topic.latched] == [LABEL_INFO]


@pytest.mark.parametrize("topic", OUTPUTS, ids=lambda topic: topic.name)
def test_the_types_exist(topic: OutputTopic) -> None:
    package, kind, name = topic.type.split("/")
    assert kind == "msg"
    pytest.importorskip(f"{package}.msg")
    assert message_class(topic).__name__ == name


def test_the_mask_is_an_image() -> None:
    messages = pytest.importorskip("sensor_msgs.msg")
    assert message_class(MASK) is messages.Image
