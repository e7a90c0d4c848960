from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from drive_bag import START, STORE, write_bag
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

from kd_seg_ros.bags.bag_reader import BagReader
from kd_seg_ros.bags.reading import image_topics, messages, open_bag
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.faults.bags import faulty_bag
from kd_seg_ros.faults.mcap_writer import McapLayout, mcap_bytes
from kd_seg_ros.playback.play_bag import main


def test_image_topics_of_a_bag(tmp_path: Path) -> None:
    write_bag(tmp_path / "bag")
    with open_bag(tmp_path / "bag") as reader:
        assert image_topics(reader) == {"/camera/image_raw": "sensor_msgs/msg/Image"}


@pytest.mark.parametrize("plugin", list(StoragePlugin))
def test_messages_of_equal_time_keep_the_order_of_recording(tmp_path: Path, plugin: StoragePlugin) -> None:
    recorded = write_bag(tmp_path / "bag", plugin=plugin)
    with open_bag(tmp_path / "bag") as reader:
        played = [(c.topic, stamp, raw) for c, stamp, raw in messages(reader, reader.connections)]
    assert played == recorded


def bad_bag(tmp_path: Path, kind: str) -> tuple[Path, str]:
    """A path that is no playable bag, and what the error should say."""
    path = tmp_path / "bag"
    if kind == "missing":
        return path, "no such bag"
    if kind == "text file":
        path.write_text("hello")
        return path, "not a readable rosbag2"
    if kind == "empty folder":
        path.mkdir()
        return path, "metadata"
    if kind == "no messages":
        with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
            writer.add_connection("/note", "std_msgs/msg/String", typestore=STORE)
        return path, "no messages"
    write_bag(path, plugin=StoragePlugin.SQLITE3 if "sqlite" in kind else StoragePlugin.MCAP)
    (storage,) = [*path.glob("*.mcap"), *path.glob("*.db3")]
    data = storage.read_bytes()
    if kind.startswith("cut"):
        storage.write_bytes(data[: len(data) // 2])
    elif kind.startswith("zeros"):
        storage.write_bytes(bytes(len(data)))
    elif kind == "bad metadata":
        (path / "metadata.yaml").write_text("a: [")
    elif kind == "file without folder":
        storage.write_bytes(data[:100])
        return storage, "not a readable rosbag2"
    return path, "bag"


@pytest.mark.parametrize(
    "kind",
    [
        "missing",
        "text file",
        "empty folder",
        "no messages",
        "bad metadata",
        "cut mcap",
        "cut sqlite",
        "zeros mcap",
        "zeros sqlite",
        "file without folder",
    ],
)
def test_bad_bags_end_with_one_line_and_code_2(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path, expected = bad_bag(tmp_path, kind)
    assert main([str(path), "--topics", "/only/to/end/here"]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {path}")
    assert expected in error
    assert error.count("\n") == 1


def test_unknown_topic_is_refused_with_those_there_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_bag(tmp_path / "bag")
    assert main([str(tmp_path / "bag"), "--topics", "/camera/image"]) == 2
    assert "--topics /camera/image: not in" in (error := capsys.readouterr().err)
    assert "/camera/condition, /camera/image_raw, /note" in error


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (
            ["--topics", "/camera/image"],
            "which has /camera/condition, /camera/image_raw, /note; did you mean",
        ),
        (["--remap", "/camera/image:=/x"], "--remap /camera/image:=/x: not in"),
        (["-m", "/camera/image_raw"], "--remap /camera/image_raw: must be /old:=/new"),
        (["--start-offset", "9"], "--start-offset 9: {bag} is 0.38 s long"),
        (["--timing", "{bag}/no/file.csv"], "--timing {bag}/no/file.csv: cannot be written"),
        (["--qos-profile-overrides-path", "{bag}/qos.yaml"], "{bag}/qos.yaml: cannot be read"),
    ],
)
def test_mistakes_end_with_one_line(
    tmp_path: Path, options: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bag = tmp_path / "bag"
    write_bag(bag)
    assert main([str(bag), *(option.format(bag=bag) for option in options)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert complaint.format(bag=bag) in line


@pytest.mark.parametrize("place", ["metadata", "chunk"])
def test_a_compression_that_nobody_knows(tmp_path: Path, place: str) -> None:
    bag = tmp_path / "bag"
    writer = Writer(bag, version=9, storage_plugin=StoragePlugin.MCAP)
    if place == "chunk":
        writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
    with writer:
        connection = writer.add_connection("/note", "std_msgs/msg/String", typestore=STORE)
        text = STORE.types["std_msgs/msg/String"](data="hello")
        writer.write(connection, START, bytes(STORE.serialize_cdr(text, "std_msgs/msg/String")))
    file = bag / ("metadata.yaml" if place == "metadata" else "bag.mcap")
    content = file.read_bytes()
    if place == "metadata":
        content = content.replace(b"compression_format: ''", b"compression_format: brot")
        content = content.replace(b"compression_mode: ''", b"compression_mode: FILE")
    else:
        content = content.replace(b"\x04\0\0\0zstd", b"\x04\0\0\0brot")
    file.write_bytes(content)
    with open_or_refuse(bag) as complaint:
        assert "brot" in str(complaint)


@contextmanager
def open_or_refuse(bag: Path) -> Iterator[UserError]:
    """Read a bag whole; give the error that comes of it."""
    with pytest.raises(UserError) as caught, open_bag(bag) as reader:
        list(messages(reader, reader.connections))
    assert str(caught.value).startswith(str(bag))
    assert "\n" not in str(caught.value)
    yield caught.value


def test_what_may_help_is_said(tmp_path: Path) -> None:
    write_bag(tmp_path / "bag")
    (storage,) = (tmp_path / "bag").glob("*.mcap")
    storage.write_bytes(storage.read_bytes()[:-200])
    with open_or_refuse(tmp_path / "bag") as complaint:
        assert "`mcap recover" in str(complaint)
    (tmp_path / "bag" / "metadata.yaml").write_text("")
    with open_or_refuse(tmp_path / "bag") as complaint:
        assert "`ros2 bag reindex`" in str(complaint)


@pytest.mark.parametrize(
    "options",
    [
        ["--rate", "0"],
        ["--rate", "inf"],
        ["--clock", "-1"],
        ["--wait", "x"],
        ["--start-offset", "-1"],
        ["--playback-duration", "0"],
        ["--delay", "nan"],
    ],
)
def test_bad_options(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bag", *options]) == 2
    assert options[0] in capsys.readouterr().err


def test_damage_found_while_playing_is_a_user_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_bag(tmp_path / "bag")

    def broken(*args: object) -> Iterator[object]:
        raise ValueError("bad chunk\nat 7")
        yield

    monkeypatch.setattr(BagReader, "messages", broken)
    with open_bag(tmp_path / "bag") as reader, pytest.raises(UserError, match=r"is damaged: bad chunk$"):
        list(messages(reader, reader.connections))


@pytest.mark.parametrize(
    ("case", "complaint"),
    [
        ("topic name with spaces", "'//a b!' is no name of a topic in ROS 2"),
        ("topic name empty", "'' is no name of a topic in ROS 2"),
        ("topic name with a line break", r"'/a\nerror: x' is no name"),
        ("type with dots", "'os.path/msg/X', is no type of ROS 2"),
    ],
)
def test_names_that_ros_does_not_know_are_left_out_with_a_line(
    case: str, complaint: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with open_bag(faulty_bag(case, tmp_path, 0).path) as reader:
        assert [c.topic for c in reader.connections] == ["/camera/image_raw"]
    (record,) = caplog.records
    assert complaint in record.getMessage()
    assert "\n" not in record.getMessage()


def test_a_bag_of_odd_names_alone_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bag.mcap"
    file.write_bytes(mcap_bytes([("/1a", "std_msgs/msg/String")], [(0, 1, b"")], McapLayout()))
    assert main([str(file)]) == 2
    assert capsys.readouterr().err == f"error: {file}: '/1a' is no name of a topic in ROS 2\n"


def test_a_cut_part_is_named_and_the_others_are_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bag = faulty_bag("last of three files cut", tmp_path, 5).path
    for _ in range(2):
        with open_bag(bag) as reader:
            assert reader.left_out == [bag / "bag_2.mcap"]
            assert len(list(messages(reader, reader.connections))) == 16
    _, record = caplog.records  # once, however often the bag is opened; the first is of the metadata
    assert "bag_2.mcap: not a readable rosbag2" in record.getMessage()
    assert "2 of 3 files are read" in record.getMessage()


def test_messages_that_are_missing_are_noticed_at_the_end(tmp_path: Path) -> None:
    write_bag(tmp_path / "bag")
    file = tmp_path / "bag" / "metadata.yaml"
    file.write_text(file.read_text().replace("message_count: 20", "message_count: 21"))
    with open_or_refuse(tmp_path / "bag") as complaint:
        assert "2 of 43 messages cannot be found" in str(complaint)
