from __future__ import annotations

from pathlib import Path

import pytest
from demo_drive import START, STORE, frame, image_message, write_messages

from kd_seg_ros.bags.cameras import CameraTopics
from kd_seg_ros.bags.text_topic import TextTopic, condition_texts
from kd_seg_ros.common.errors import UserError

CAMERA = CameraTopics("/front/image", False, "/segmentation")


def bag(path: Path) -> Path:
    text = STORE.types["std_msgs/msg/String"]
    entries = [
        ("/front/image", START, image_message(frame(0)[0], START)),
        ("/front/condition", START + 20, text(data="snow")),
        ("/front/condition", START + 10, text(data="fog")),
        ("/weather", START + 5, text(data="night")),
    ]
    return write_messages(path, entries)


def test_texts_hold_until_the_next_one(tmp_path: Path) -> None:
    texts = TextTopic(bag(tmp_path / "bag"), "/front/condition")
    assert texts.values() == ["fog", "snow"]
    times = (START + 9, START + 10, START + 19, START + 20, START + 99)
    assert [texts.last(time) for time in times] == [None, "fog", "fog", "snow", "snow"]
    assert [texts.at(time) for time in times] == [None, "fog", None, "snow", None]


def test_the_weather_lies_next_to_the_camera_unless_another_topic_is_named(tmp_path: Path) -> None:
    path = bag(tmp_path / "bag")
    assert condition_texts(path, CAMERA, None).values() == ["fog", "snow"]
    assert condition_texts(path, CAMERA, "/weather").values() == ["night"]
    assert condition_texts(path, CameraTopics("/rear/image", False, ""), None).values() == []
    with pytest.raises(UserError, match="--condition-topic /front/image is of type sensor_msgs/msg/Image"):
        condition_texts(path, CAMERA, "/front/image")
    with pytest.raises(UserError, match=r"--condition-topic /wether: .* did you mean '/weather'"):
        condition_texts(path, CAMERA, "/wether")
