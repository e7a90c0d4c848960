from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from drive_bag import STORE, write_bag
from rosbags.rosbag2 import Reader, StoragePlugin, Writer

from kd_seg_ros.errors import UserError
from kd_seg_ros.play_bag import image_topics, main, messages, open_bag


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


@pytest.mark.parametrize("options", [["--rate", "0"], ["--rate", "inf"], ["--clock", "-1"], ["--wait", "x"]])
def test_bad_options(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["bag", *options])
    assert caught.value.code == 2
    assert options[0] in capsys.readouterr().err


def test_damage_found_while_playing_is_a_user_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_bag(tmp_path / "bag")

    def broken(*args: object) -> Iterator[object]:
        raise ValueError("bad chunk\nat 7")
        yield

    monkeypatch.setattr(Reader, "messages", broken)
    with open_bag(tmp_path / "bag") as reader, pytest.raises(UserError, match=r"is damaged: bad chunk$"):
        list(messages(reader, reader.connections))
