"""What a labelled bag is found to hold, and what is refused before anything is replayed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from demo_drive import PERIOD, START, STORE, frame, image_message, write_drive, write_messages
from numpy.typing import NDArray

from distill.drives.drive import survey
from kd_seg_ros.common.errors import UserError

TEXT: Any = STORE.types["std_msgs/msg/String"]


LABELS = frame(0)[1]
WRONG = LABELS.copy()
WRONG[3, 4] = 19


def bag(path: Path, labels: NDArray[np.uint8], stamp: int = START, images: int = 1) -> Path:
    """Write a bag with a label map and one image, or several images of one stamp."""
    entries: list[tuple[str, int, Any]] = [
        ("/front/image", START + number, image_message(frame(0)[0], START)) for number in range(images)
    ]
    entries.append(("/front/labels", START + 5, image_message(labels, stamp)))
    entries.append(("/front/condition", START, TEXT(data="fog")))
    return write_messages(path, entries)


def test_frames_with_their_labels_and_conditions(tmp_path: Path) -> None:
    drive = survey(write_drive(tmp_path / "bag", 6), num_classes=19)
    assert (drive.topic, drive.labels_topic) == ("/camera/image_raw", "/camera/labels")
    assert drive.hertz == pytest.approx(10.0)
    assert list(drive.frames) == [START + n * PERIOD for n in range(6)]
    frames = list(drive.frames.values())
    assert [f.condition for f in frames] == ["fog", "fog", "night", "night", "snow", "snow"]
    assert [(f.number, f.frame_id, f.labelled) for f in frames] == [(n, "camera", True) for n in range(1, 7)]
    for number, (stamp, labels) in enumerate(drive.labels(set(drive.frames))):
        assert stamp == START + number * PERIOD
        np.testing.assert_array_equal(labels, frame(number)[1])
    assert [stamp for stamp, _ in drive.raw_images()] == list(drive.frames)
    wanted = list(drive.frames)[1:3]
    images = dict(drive.images(wanted))
    assert list(images) == wanted
    np.testing.assert_array_equal(images[wanted[0]], frame(1)[0])


def test_labels_that_nobody_asks_for_are_not_looked_at(tmp_path: Path) -> None:
    drive = survey(bag(tmp_path / "bag", WRONG))
    assert drive.labels_topic == "/front/labels"
    assert not drive.labelled
    assert list(drive.labels(drive.frames)) == []
    plain = survey(write_drive(tmp_path / "drive", 3), num_classes=19).without_labels()
    assert (plain.labels_topic, plain.labelled) == (None, False)


def test_images_without_labels_are_frames_too(tmp_path: Path) -> None:
    entries = [("/c/image", START + n, image_message(frame(n)[0], START + n)) for n in range(3)]
    entries.append(("/c/labels", START + 9, image_message(frame(1)[1], START + 1)))
    drive = survey(write_messages(tmp_path / "bag", entries), None, "/c/labels", None, 19)
    assert [f.labelled for f in drive.frames.values()] == [False, True, False]
    assert {f.condition for f in drive.frames.values()} == {None}


@pytest.mark.parametrize(
    ("labels", "options", "complaint"),
    [
        (LABELS, {"labels": "/front/label"}, "--labels-topic /front/label: not in {p}/bag, which has"),
        (LABELS, {"labels": "/front/label"}, "; did you mean '/front/labels'?"),
        (
            LABELS,
            {"labels": "/front/condition"},
            "has std_msgs/msg/String there; labels are mono8, of type sens",
        ),
        (LABELS, {"topic": "/front/imge"}, "--topic /front/imge"),
        (
            LABELS,
            {"condition": "/front/image"},
            "--condition-topic /front/image is of type",
        ),
        (LABELS, {"stamp": START + 1}, "none of its 1 messages has the header stamp of an image"),
        (LABELS[:-1], {}, "labels of 64×47 for an image of 64×48"),
        (WRONG, {}, "the value 19 is no class of the model: labels must be 0 to 18, or 255"),
        (frame(0)[0], {}, "no label map: encoding 'rgb8' instead of 'mono8'"),
        (
            LABELS,
            {"images": 2},
            "two images on /front/image have the same header stamp, 1700000000.000000000",
        ),
    ],
)
def test_mistakes(tmp_path: Path, labels: NDArray[np.uint8], options: dict[str, Any], complaint: str) -> None:
    made = {name: options.pop(name) for name in ("stamp", "images") if name in options}
    path = bag(tmp_path / "bag", labels, **made)
    given = {"topic": None, "labels": "/front/labels", "condition": None, "num_classes": 19} | options
    with pytest.raises(UserError) as caught:
        survey(path, **given)
    assert complaint.format(p=tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)
