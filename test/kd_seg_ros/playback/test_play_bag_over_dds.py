"""``play_bag`` as its own process, heard over DDS by a subscriber in this one."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from drive_bag import PERIOD, START, STORE, Recorded, offered, write_bag
from listener import Listener
from patient_process import LONG
from ros_domain import own_domain
from rosbags.interfaces import QosDurability, QosReliability
from rosbags.rosbag2 import StoragePlugin, Writer


@pytest.fixture
def domain(monkeypatch: pytest.MonkeyPatch) -> int:
    """An own ROS domain on this machine alone, for this process and its children."""
    pytest.importorskip("rclpy")
    number = own_domain()
    monkeypatch.setenv("ROS_DOMAIN_ID", str(number))
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    profile = Path(__file__).parents[3] / "config" / "fastdds_large_images.xml"
    monkeypatch.setenv("FASTDDS_DEFAULT_PROFILES_FILE", str(profile))  # the two find each other sooner
    return number


@pytest.fixture
def listener(domain: int) -> Iterator[Listener]:
    listener = Listener(domain)
    yield listener
    listener.close()


@pytest.fixture
def play(domain: int) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start ``play_bag`` as its own process."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "kd_seg_ros.playback.play_bag", *map(str, arguments)]
        process = subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3], env=os.environ.copy()
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def padded(raw: bytes) -> bytes:
    """Return a message as DDS delivers it: a serialized payload is filled up to a multiple of 4 bytes."""
    return raw + bytes(-len(raw) % 4)


def of_topic(recorded: Recorded, topic: str) -> list[bytes]:
    return [padded(raw) for name, _, raw in recorded if name == topic]


@pytest.mark.parametrize("plugin", list(StoragePlugin))
def test_every_message_arrives_in_order_and_byte_for_byte(
    tmp_path: Path, plugin: StoragePlugin, listener: Listener, play: Any
) -> None:
    from sensor_msgs.msg import Image
    from std_msgs.msg import String

    recorded = write_bag(tmp_path / "bag", plugin=plugin)
    listener.subscribe(Image, "/camera/image_raw")
    listener.subscribe(String, "/camera/condition")
    listener.subscribe(String, "/note")
    process = play(tmp_path / "bag", "--wait", 60)
    listener.spin_until(lambda: process.poll() is not None)
    listener.spin_until(lambda: len(listener.received["/camera/image_raw"]) >= 20, seconds=30)
    assert process.wait(LONG) == 0, process.stderr.read()
    for topic, messages in listener.received.items():
        assert messages == of_topic(recorded, topic), topic


def test_a_single_file_remapped_with_a_topic_left_out(tmp_path: Path, listener: Listener, play: Any) -> None:
    from rclpy.serialization import deserialize_message
    from sensor_msgs.msg import Image
    from std_msgs.msg import String

    write_bag(tmp_path / "bag", frames=5)
    (storage,) = (tmp_path / "bag").glob("*.mcap")
    listener.subscribe(Image, "/front/image")
    listener.subscribe(String, "/camera/condition")
    process = play(
        storage, "--wait", 60, "--rate", 0.5, "--topics", "/camera/image_raw",
        "--ros-args", "-r", "/camera/image_raw:=/front/image",
    )  # fmt: skip
    listener.spin_until(lambda: len(listener.received["/front/image"]) >= 5)
    assert process.wait(LONG) == 0, process.stderr.read()
    stamps = [deserialize_message(raw, Image).header.stamp for raw in listener.received["/front/image"]]
    assert [s.sec * 10**9 + s.nanosec for s in stamps] == [START + n * PERIOD for n in range(5)]
    assert listener.received["/camera/condition"] == []


def test_clock_runs_from_the_first_stamp_to_the_last_and_never_back(
    tmp_path: Path, listener: Listener, play: Any
) -> None:
    from rclpy.serialization import deserialize_message
    from rosgraph_msgs.msg import Clock
    from sensor_msgs.msg import Image

    write_bag(tmp_path / "bag", frames=40)
    listener.subscribe(Image, "/camera/image_raw")
    listener.subscribe(Clock, "/clock")
    process = play(tmp_path / "bag", "--topics", "/camera/image_raw", "--wait", 60, "--clock", 100)
    listener.spin_until(lambda: len(listener.received["/camera/image_raw"]) >= 40)
    assert process.wait(LONG) == 0, process.stderr.read()
    clocks = [deserialize_message(raw, Clock).clock for raw in listener.received["/clock"]]
    times = [c.sec * 10**9 + c.nanosec for c in clocks]
    assert len(times) > 3
    assert times == sorted(times)
    assert times[0] >= START
    assert times[-1] <= START + 39 * PERIOD
    assert times[-1] > times[0]


def test_latched_topics_reach_who_comes_late(tmp_path: Path, listener: Listener, play: Any) -> None:
    from rclpy.qos import DurabilityPolicy, QoSProfile
    from std_msgs.msg import String

    recorded = write_bag(tmp_path / "bag", frames=2)
    listener.subscribe(String, "/camera/condition")
    process = play(tmp_path / "bag", "--wait", 0, "--rate", 0.0001)  # minutes until the second frame
    listener.spin_until(lambda: listener.node.count_publishers("/note") > 0)
    time.sleep(1.0)  # the text has been published by now
    listener.subscribe(String, "/note", QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL))
    listener.spin_until(lambda: bool(listener.received["/note"]))
    assert listener.received["/note"] == of_topic(recorded, "/note")
    process.send_signal(signal.SIGINT)
    assert process.wait(LONG) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_loops_until_interrupted(
    tmp_path: Path, listener: Listener, play: Any, number: signal.Signals
) -> None:
    from sensor_msgs.msg import Image

    recorded = write_bag(tmp_path / "bag", frames=3)
    listener.subscribe(Image, "/camera/image_raw")
    process = play(tmp_path / "bag", "--loop", "--wait", 60, "--topics", "/camera/image_raw")
    listener.spin_until(lambda: len(listener.received["/camera/image_raw"]) >= 9)
    frames = of_topic(recorded, "/camera/image_raw")
    assert listener.received["/camera/image_raw"][:9] == frames * 3
    assert process.poll() is None
    process.send_signal(number)
    process.send_signal(number)  # a second Ctrl-C must not break the clean-up
    assert process.wait(LONG) == 0
    assert "Traceback" not in process.stderr.read()


def test_type_that_is_not_installed_is_left_out(tmp_path: Path, listener: Listener, play: Any) -> None:
    from std_msgs.msg import String

    text = STORE.types["std_msgs/msg/String"](data="hello")
    raw = bytes(STORE.serialize_cdr(text, "std_msgs/msg/String"))
    with Writer(tmp_path / "bag", version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        strange = writer.add_connection(
            "/strange", "no_such_msgs/msg/Thing", msgdef="string data", rihs01="x"
        )
        known = writer.add_connection("/known", "std_msgs/msg/String", typestore=STORE)
        writer.write(strange, START, raw)
        writer.write(known, START + 1, raw)
    listener.subscribe(String, "/known")
    process = play(tmp_path / "bag", "--wait", 60)
    listener.spin_until(lambda: bool(listener.received["/known"]))
    assert process.wait(LONG) == 0
    assert listener.received["/known"] == [padded(raw)]
    assert "their message types are not installed: /strange (no_such_msgs/msg/Thing)" in process.stderr.read()

    process = play(tmp_path / "bag", "--topics", "/strange")
    assert process.wait(LONG) == 2
    assert "error: none of the bag's topics can be published" in process.stderr.read()


def test_a_part_of_the_bag_under_another_name_with_what_was_latched_before(
    tmp_path: Path, listener: Listener, play: Any
) -> None:
    from rclpy.qos import DurabilityPolicy, QoSProfile
    from std_msgs.msg import String

    recorded = write_bag(tmp_path / "bag", frames=20)
    listener.subscribe(String, "/weather")
    listener.subscribe(String, "/note", QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL))
    process = play(
        *(tmp_path / "bag", "--wait", 60, "--topics", "/camera/condition", "/note"),
        *("--start-offset", 5 * PERIOD / 1e9, "--playback-duration", 3 * PERIOD / 1e9),
        *("-m", "/camera/condition:=/weather", "--timing", tmp_path / "timing.csv"),
    )
    listener.spin_until(lambda: len(listener.received["/weather"]) >= 4)
    assert process.wait(LONG) == 0, process.stderr.read()
    listener.spin_until(lambda: bool(listener.received["/note"]), seconds=30)
    assert listener.received["/weather"] == of_topic(recorded, "/camera/condition")[5:9]
    assert listener.received["/note"] == of_topic(recorded, "/note")
    rows = (tmp_path / "timing.csv").read_text().splitlines()[1:]
    times = [int(row.split(",")[1]) for row in rows if row.startswith("/camera/condition,")]
    assert times == [START + n * PERIOD for n in range(5, 9)]
    assert "5 messages, timing error" in process.stderr.read()


def test_keys_of_the_terminal(tmp_path: Path, listener: Listener, domain: int) -> None:
    from sensor_msgs.msg import Image

    write_bag(tmp_path / "bag", frames=6)
    listener.subscribe(Image, "/camera/image_raw")
    images = listener.received["/camera/image_raw"]
    master, slave = os.openpty()
    before = termios.tcgetattr(slave)
    process = subprocess.Popen(
        [
            *(
                sys.executable,
                "-m",
                "kd_seg_ros.playback.play_bag",
                str(tmp_path / "bag"),
                "--start-paused",
                "--loop",
            ),
            *("--topics", "/camera/image_raw", "--wait", "60"),
        ],
        cwd=Path(__file__).parents[3],
        stdin=slave,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # the terminal is its own
    )
    try:
        assert process.stderr is not None
        lines = iter(process.stderr.readline, "")
        assert any("space: pause" in line for line in lines)
        assert not termios.tcgetattr(slave)[3] & (termios.ICANON | termios.ECHO)
        listener.spin_until(lambda: bool(images), seconds=1)
        assert not images, "paused"
        os.write(master, b"s\x1b[C")
        listener.spin_until(lambda: len(images) >= 2)
        listener.spin_until(lambda: len(images) >= 3, seconds=0.5)
        assert len(images) == 2
        os.write(master, b" ")
        listener.spin_until(lambda: len(images) >= 8)
        assert len(images) >= 8
        os.write(master, b"\x03")  # Ctrl-C
        assert process.wait(LONG) == 0
        assert termios.tcgetattr(slave) == before
    finally:
        process.kill()
        process.wait()
        os.close(master)
        os.close(slave)


def test_wrong_ros_arguments(tmp_path: Path, play: Any) -> None:
    write_bag(tmp_path / "bag", frames=1)
    process = play(tmp_path / "bag", "--ros-args", "-r", "no colon")
    assert process.wait(LONG) == 2
    assert "error: ROS 2 did not start" in process.stderr.read()


def test_a_bag_recorded_best_effort_is_played_best_effort(
    tmp_path: Path, listener: Listener, play: Any
) -> None:
    from rclpy.qos import ReliabilityPolicy

    text = STORE.types["std_msgs/msg/String"](data="hello")
    with Writer(tmp_path / "bag", version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        qos = offered(QosReliability.BEST_EFFORT, QosDurability.VOLATILE, depth=5)
        connection = writer.add_connection(
            "/sensor", "std_msgs/msg/String", typestore=STORE, offered_qos_profiles=[qos]
        )
        writer.write(connection, START, bytes(STORE.serialize_cdr(text, "std_msgs/msg/String")))
    process = play(tmp_path / "bag", "--loop")
    listener.spin_until(lambda: listener.node.count_publishers("/sensor") > 0)
    (publisher,) = listener.node.get_publishers_info_by_topic("/sensor")
    assert publisher.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT
    process.send_signal(signal.SIGINT)
    assert process.wait(LONG) == 0
