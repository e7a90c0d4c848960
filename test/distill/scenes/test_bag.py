from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from rosbags.highlevel import AnyReader
from rosbags.interfaces import QosReliability

from distill.scenes.bag import write_bag
from distill.scenes.drive import Drive
from kd_seg_ros.common.errors import UserError

DRIVE = Drive(seed=4, size=(40, 64), frames=6, conditions=("fog", "night", "snow"))


def read(path: Path) -> dict[str, list]:
    topics: dict[str, list] = {}
    with AnyReader([path]) as reader:
        for connection, time, raw in reader.messages():
            message = reader.deserialize(raw, connection.msgtype)
            topics.setdefault(connection.topic, []).append((time, message))
    return topics


def test_topics_stamps_and_pictures(tmp_path: Path) -> None:
    write_bag(tmp_path / "bag", DRIVE, compressed=False, labels=True)

    topics = read(tmp_path / "bag")

    assert set(topics) == {"/camera/image_raw", "/camera/labels", "/camera/condition"}
    assert [message.data for _, message in topics["/camera/condition"]] == ["fog"] * 2 + ["night"] * 2 + [
        "snow"
    ] * 2
    times = [time for time, _ in topics["/camera/image_raw"]]
    assert np.diff(times).tolist() == [100_000_000] * 5
    for index in range(6):
        time, image = topics["/camera/image_raw"][index]
        label_time, labels = topics["/camera/labels"][index]
        stamp = image.header.stamp.sec * 10**9 + image.header.stamp.nanosec
        assert time == stamp == label_time == topics["/camera/condition"][index][0]
        assert labels.header == image.header
        assert image.header.frame_id == "camera"
        assert (image.height, image.width, image.step, image.encoding) == (40, 64, 192, "rgb8")
        assert (labels.height, labels.width, labels.step, labels.encoding) == (40, 64, 64, "mono8")
        frame = DRIVE.render(index)
        np.testing.assert_array_equal(image.data.reshape(40, 64, 3), frame.rgb)
        np.testing.assert_array_equal(labels.data.reshape(40, 64), frame.labels)


def test_the_condition_comes_just_before_its_image(tmp_path: Path) -> None:
    write_bag(tmp_path / "bag", DRIVE, compressed=False, labels=True)

    with AnyReader([tmp_path / "bag"]) as reader:
        order = [connection.topic for connection, _, _ in reader.messages()]

    assert order[:3] == ["/camera/labels", "/camera/condition", "/camera/image_raw"]
    assert order == order[:3] * 6


def test_compressed_images_are_jpegs_of_the_frames(tmp_path: Path) -> None:
    """The labels are compressed with the file, without loss."""
    write_bag(tmp_path / "bag", DRIVE, compressed=True, labels=True)

    topics = read(tmp_path / "bag")

    assert set(topics) == {"/camera/image_raw/compressed", "/camera/condition", "/camera/labels"}
    _, labels = topics["/camera/labels"][0]
    np.testing.assert_array_equal(labels.data.reshape(40, 64), DRIVE.render(0).labels)
    assert b"zstd" in (tmp_path / "bag/bag.mcap").read_bytes()
    _, message = topics["/camera/image_raw/compressed"][0]
    assert message.format == "jpeg"
    picture = np.asarray(cv2.imdecode(message.data, cv2.IMREAD_COLOR))[..., ::-1]
    error = picture.astype(int) - DRIVE.render(0).rgb
    assert np.abs(error).mean() < 6


def test_it_is_offered_reliably_and_every_distribution_reads_it(tmp_path: Path) -> None:
    write_bag(tmp_path / "bag", DRIVE, compressed=False, labels=False)
    metadata = yaml.safe_load((tmp_path / "bag" / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    assert metadata["version"] == 8  # Humble cannot read 9

    with AnyReader([tmp_path / "bag"]) as reader:
        for connection in reader.connections:
            (qos,) = connection.ext.offered_qos_profiles  # type: ignore[union-attr]
            assert qos.reliability == QosReliability.RELIABLE


def test_an_empty_folder_is_used_and_anything_else_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    write_bag(tmp_path / "empty", DRIVE, compressed=True, labels=False)
    assert (tmp_path / "empty" / "metadata.yaml").exists()

    with pytest.raises(UserError, match="is there already"):
        write_bag(tmp_path / "empty", DRIVE, compressed=True, labels=False)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="is a file"):
        write_bag(tmp_path / "file", DRIVE, compressed=True, labels=False)
    with pytest.raises(UserError, match="cannot be written"):
        write_bag(tmp_path / "file" / "bag", DRIVE, compressed=True, labels=False)
