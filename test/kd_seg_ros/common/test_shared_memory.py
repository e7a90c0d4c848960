"""What killed processes have left in shared memory is removed, and nothing else."""

from __future__ import annotations

import fcntl
import os
import sys
import time
from pathlib import Path

import pytest
from patient_process import PatientProcess

from kd_seg_ros.common import shared_memory
from kd_seg_ros.common.shared_memory import (
    FOLDER,
    foreign_owners,
    free_bytes,
    largest_of_others,
    remove_leftovers,
)

LONG_AGO = time.time() - 3600
PARTICIPANT = """
import time
import rclpy
rclpy.init()
node = rclpy.create_node("participant")
print("up", flush=True)
time.sleep(600)
"""


def segment(folder: Path, name: str, *, size: int = 1000, lock_age: float = 3600.0) -> Path:
    path = folder / name
    path.write_bytes(bytes(size))
    lock = folder / f"{name}_el"
    lock.touch()
    os.utime(lock, times=(time.time() - lock_age,) * 2)
    return path


def test_only_segments_without_an_owner_are_removed(tmp_path: Path) -> None:
    dead = segment(tmp_path, "fastdds_0123456789abcdef", size=5000)
    older = segment(tmp_path, "fastrtps_0123456789abcdef", size=3000)
    alive = segment(tmp_path, "fastdds_1111111111111111")
    young = segment(tmp_path, "fastdds_2222222222222222", lock_age=0.0)
    lockless = tmp_path / "fastdds_3333333333333333"
    lockless.touch()
    linked = tmp_path / "fastdds_4444444444444444"
    linked.touch()
    target = tmp_path / "precious"
    target.touch()
    linked.with_name(linked.name + "_el").symlink_to(target)
    others = [
        segment(tmp_path, name) for name in ("fastdds_port7410", "fastdds_0123", "mine_0123456789abcdef")
    ]
    with Path(f"{alive}_el").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        removed = remove_leftovers(tmp_path)
        assert (removed.segments, removed.megabytes) == (2, 0.008)
        assert not dead.exists()
        assert not older.exists()
        assert not Path(f"{dead}_el").exists()
        assert all(path.exists() for path in (alive, young, lockless, linked, target, *others))
        assert remove_leftovers(tmp_path).segments == 0
    assert remove_leftovers(tmp_path).segments == 1, "its owner has ended meanwhile"
    assert remove_leftovers(tmp_path / "nowhere").segments == 0


def test_another_users_segment_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dead = segment(tmp_path, "fastdds_0123456789abcdef")
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert remove_leftovers(tmp_path).segments == 0
    assert dead.exists()


def test_segments_that_another_user_keeps_to_himself_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segment(tmp_path, "fastdds_0123456789abcdef")
    (tmp_path / "fastdds_port7411").touch()
    assert foreign_owners(tmp_path) == [], "its own"
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert foreign_owners(tmp_path) == [], "shared with everybody"
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)
    assert foreign_owners(tmp_path) == [os.getuid()]


def test_room_in_a_folder_and_in_none(tmp_path: Path) -> None:
    free = free_bytes(tmp_path)
    assert free is not None
    assert free > 0
    assert free_bytes(tmp_path / "nowhere") is None


def segments_of(pid: int) -> list[Path]:
    """The segments whose lock a process holds, as the kernel lists it."""
    held = set()
    for line in Path("/proc/locks").read_text().splitlines():
        _, kind, _, _, owner, place, *_ = line.replace("-> ", "").split()
        if kind == "FLOCK" and int(owner) == pid:
            held.add(int(place.rpartition(":")[2]))
    locks = [
        path for path in FOLDER.glob("fast*_el") if path.stat().st_ino in held and "port" not in path.name
    ]
    return [path.with_name(path.name.removesuffix("_el")) for path in locks]


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="no /proc")
def test_real_processes_one_killed_and_one_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rclpy")
    pytest.importorskip("dds")  # isolated domain, and the profile with the large segment
    monkeypatch.setattr(shared_memory, "SETTLED_S", 0.0)
    command = [sys.executable, "-c", PARTICIPANT]
    with PatientProcess("alive", command) as alive, PatientProcess("killed", command) as killed:
        for process in (alive, killed):
            process.wait_for("up")
        kept, left = segments_of(alive.pid), segments_of(killed.pid)
        assert kept
        assert max(path.stat().st_size for path in left) > 64 * 2**20
        remove_leftovers()
        assert all(path.exists() for path in left), "its owner lives"
        os.kill(killed.pid, 9)
        killed.wait()
        assert remove_leftovers().segments >= len(left)
        assert not any(path.exists() for path in left)
        assert all(path.exists() for path in kept)
        assert largest_of_others() >= 64 * 2**20
        os.kill(alive.pid, 9)  # it sleeps through a signal that asks
