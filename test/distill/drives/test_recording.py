"""Reading back what a node has answered, here written by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from demo_drive import PERIOD, START, frame, image_message, write_drive, write_messages

from distill.drives.drive import survey
from distill.drives.output_topics import OutputTopics
from distill.drives.recording import ByStamp, answered_frames, answered_stamps
from kd_seg_ros.common.child_process import ProcessError

OUTPUTS = OutputTopics.of("")


@pytest.mark.parametrize(
    ("stamps", "frame_id", "message"),
    [
        ([START + 1], "camera", "no frame of the drive has this stamp"),
        ([START, START], "camera", "published twice"),
        ([START], "lidar", "frame_id 'lidar', not 'camera'"),
    ],
)
def test_answers_with_wrong_headers_are_refused(
    stamps: list[int], frame_id: str, message: str, tmp_path: Path
) -> None:
    drive = survey(write_drive(tmp_path / "bag", 2))
    mask = frame(0)[1]
    entries = [("/segmentation/mask", START, image_message(mask, stamp, frame_id)) for stamp in stamps]
    recording = write_messages(tmp_path / "recording", entries)
    with pytest.raises(ProcessError, match=message):
        answered_stamps(recording, OUTPUTS, drive.frames)


def maps(number: int, shift: int, encoding: str = "mono8", rows: int = 48) -> list[tuple[str, int, Any]]:
    """A frame's mask, its labels plus one, and a confidence of 51; log times begin ``shift`` ns late."""
    stamp = START + number * PERIOD
    mask = image_message((frame(number)[1] + 1)[:rows], stamp)
    confidence = image_message(np.full((rows, 64), 51, np.uint8), stamp)
    confidence.encoding = encoding
    return [
        ("/segmentation/mask", stamp + shift, mask),
        ("/segmentation/confidence", stamp + shift, confidence),
    ]


def test_frames_come_in_the_drives_order_with_all_that_belongs_to_them(tmp_path: Path) -> None:
    drive = survey(write_drive(tmp_path / "bag", 6), num_classes=19)
    late = maps(1, 5 * PERIOD)  # recorded after those of frames 3 and 4
    recording = write_messages(tmp_path / "recording", [*maps(3, 0), *maps(4, 0), *late])
    stamps = answered_stamps(recording, OUTPUTS, drive.frames)
    assert stamps == {START + number * PERIOD for number in (1, 3, 4)}
    found = list(answered_frames(recording, OUTPUTS, drive, stamps, images=True))
    assert [answer.frame.number for answer in found] == [2, 4, 5]
    for answer in found:
        image, labels = frame(answer.frame.number - 1)
        np.testing.assert_array_equal(answer.labels, labels)
        np.testing.assert_array_equal(answer.image, image)
        np.testing.assert_array_equal(answer.mask, labels + 1)
        np.testing.assert_allclose(answer.probability, 0.2)
    (first, *_) = answered_frames(recording, OUTPUTS, drive.without_labels(), stamps)
    assert first.labels is None
    assert first.image is None


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (maps(0, 0, rows=47), r"frame 1: labels are \(48, 64\), the mask \(47, 64\) .* output_scale 1.0"),
        (maps(0, 0, encoding="rgb8"), "encoding 'rgb8' instead of 'mono8'"),
    ],
)
def test_maps_that_break_the_contract_are_refused(
    entries: list[tuple[str, int, Any]], message: str, tmp_path: Path
) -> None:
    drive = survey(write_drive(tmp_path / "bag", 2), num_classes=19)
    recording = write_messages(tmp_path / "recording", entries)
    with pytest.raises(ProcessError, match=message):
        list(answered_frames(recording, OUTPUTS, drive, {START}))


def test_items_that_come_early_wait() -> None:
    items = ByStamp([(3, "c"), (1, "a"), (2, "b")])
    assert [items.take(stamp) for stamp in (1, 2, 3)] == ["a", "b", "c"]
