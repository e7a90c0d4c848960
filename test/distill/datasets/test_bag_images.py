"""Images of a rosbag2 as a data set without labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from drive_bag import image, write_bag
from PIL import Image
from rosbags.rosbag2 import StoragePlugin

from distill.config.data import DataConfig
from distill.data.data_check import check_data
from distill.data.from_config import kept_frames, open_source, training_parts
from distill.datasets.bag_images import list_messages, read_message
from distill.datasets.folder import list_folder_split
from distill.datasets.frame import read_sample
from kd_seg_ros.bags.making import RecordingSettings, make_bag
from kd_seg_ros.bags.pictures import image_files
from kd_seg_ros.common.errors import UserError


@pytest.mark.parametrize("plugin", [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
def test_every_image_of_the_topic_is_read_where_it_lies(plugin: StoragePlugin, tmp_path: Path) -> None:
    write_bag(tmp_path / "drive", frames=4, plugin=plugin)
    frames = list_folder_split(tmp_path, None, images="drive", topic="/camera/image_raw").complete()
    assert len(frames) == 4
    assert len({frame.image for frame in frames}) == 4
    for number in (3, 0, 2):  # in any order, as a shuffled epoch asks
        sample = read_sample(frames[number])
        assert sample.labels is None
        np.testing.assert_array_equal(sample.image, image(number).data.reshape(8, 12, 3))
        assert sample.image.flags.writeable


def test_mistakes_end_in_one_line(tmp_path: Path) -> None:
    bag = tmp_path / "drive"
    write_bag(bag, frames=1)
    with pytest.raises(
        UserError, match=r"topic /front: .*drive has no images on it; it has /camera/image_raw"
    ):
        list_messages(bag, "/front")
    with pytest.raises(UserError, match="no such bag"):
        list_messages(tmp_path / "nowhere", "/front")
    (message,) = list_messages(bag, "/camera/image_raw/compressed")  # found under its other name
    gone = type(message)(message.bag, message.topic, 5)
    with pytest.raises(UserError, match=r"camera/image_raw@5 cannot be read: it is not there any more"):
        read_message(gone)
    with pytest.raises(UserError, match="the images of a bag have no labels"):
        list_folder_split(tmp_path, None, images="drive", topic="/t", labels="x", classes=tmp_path)


@pytest.mark.parametrize("compressed", [False, True])
def test_a_drive_is_a_part_of_a_training(tmp_path: Path, compressed: bool) -> None:
    """Its frames join those of a labelled data set, and the look at the data before training decodes them."""
    from acdc_tree import write_acdc

    for number in range(3):
        pixels = image(number).data.reshape(8, 12, 3)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    settings = RecordingSettings(compressed=compressed)
    assert make_bag(image_files(tmp_path, rate=10), tmp_path / "drive", settings) == 3
    drive = {"dataset": "folder", "root": str(tmp_path / "drive"), "images": ".", "labels": None}
    drive["topic"] = "/camera/image_raw"
    root = str(write_acdc(tmp_path / "acdc", frames=1, size=(8, 12)))
    data = DataConfig.model_validate({"root": root, "extra": [drive]})
    first, second = training_parts(data)
    assert (len(first.frames), len(second.frames), second.mean) == (4, 3, data.mean)
    np.testing.assert_array_equal(read_sample(second.frames[2]).image, image(2).data.reshape(8, 12, 3))
    looked = check_data(data, "all")
    assert looked["splits"]["train"]["labelled"] == 4
    assert looked["splits"]["train"]["looked_at"] == 7
    assert not [finding for finding in looked["findings"] if finding["level"] == "error"]
    assert not [finding for finding in looked["findings"] if finding["kind"] == "twice"]


def test_images_without_labels_are_kept_in_training_alone(tmp_path: Path) -> None:
    from acdc_tree import write_acdc

    root = write_acdc(tmp_path, frames=2, size=(8, 12))
    for path in (root / "gt" / "fog").rglob("*.png"):
        path.unlink()
    source = DataConfig.model_validate(
        {"root": str(root), "unlabelled": "keep", "conditions": ["fog", "snow"]}
    )
    kept = kept_frames(open_source(source, "train"), source, "train")
    assert sorted({frame.labels is None for frame in kept}) == [False, True]
    left = kept_frames(open_source(source, "val"), source, "val")
    assert left
    assert all(frame.labels is not None for frame in left)
