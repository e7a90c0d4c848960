"""Checkpoint files cut, flipped, on a full disk and written by a process that is killed."""

import errno
import os
import resource
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from distill.checkpoints.checkpoint_file import (
    damage,
    load_checkpoint,
    newest_whole,
    save_checkpoint,
)
from kd_seg_ros.common.errors import UserError

ROOT = Path(__file__).resolve().parents[3]
STEP = 3  # not every byte, for the sake of time


def contents(seed: int = 0, size: int = 40) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(seed)
    return {
        "state_dict": {"w": torch.randn(size, generator=generator), "n": torch.tensor(3)},
        "lr_schedulers": [{"last_epoch": 4, "base_lrs": [1e-3]}],
        "step": seed,
    }


def same(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return bool(a.keys() == b.keys() and all(same(a[key], b[key]) for key in a))
    return torch.equal(a, b) if isinstance(a, torch.Tensor) else bool(a == b)


def files_next_to(path: Path) -> list[str]:
    return sorted(other.name for other in path.parent.iterdir())


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "last.ckpt"
    save_checkpoint(contents(), path)
    return path


def test_plain_torch_load_reads_it(checkpoint: Path) -> None:
    assert same(torch.load(checkpoint, weights_only=True), contents())
    assert same(load_checkpoint(checkpoint), contents())
    assert files_next_to(checkpoint) == ["last.ckpt"]


def test_a_new_one_replaces_the_old_and_what_a_killed_process_left(checkpoint: Path) -> None:
    checkpoint.with_name("last.ckpt.tmp").write_bytes(b"half" * 10000)
    save_checkpoint(contents(1), checkpoint)
    assert same(load_checkpoint(checkpoint), contents(1))
    assert files_next_to(checkpoint) == ["last.ckpt"]


def test_every_shorter_file_is_recognised(checkpoint: Path) -> None:
    whole = checkpoint.read_bytes()
    for length in {*range(0, len(whole), 7), *range(len(whole) - 150, len(whole))}:
        checkpoint.write_bytes(whole[:length])
        assert damage(checkpoint) is not None, length
    with pytest.raises(UserError, match=r"^checkpoint .*last\.ckpt is cut short or no checkpoint: [^\n]*$"):
        load_checkpoint(checkpoint)


def test_a_changed_byte_is_recognised_or_harmless(checkpoint: Path) -> None:
    """Harmless ones are padding and dates, which no reader uses."""
    whole = checkpoint.read_bytes()
    recognised = 0
    for place in range(0, len(whole), STEP):
        changed = bytearray(whole)
        changed[place] ^= 1 << place % 8
        checkpoint.write_bytes(changed)
        if damage(checkpoint) is not None:
            recognised += 1
        else:
            assert same(torch.load(checkpoint, weights_only=True), contents()), place
    assert recognised > len(whole) / STEP / 4


def test_a_flipped_weight_and_a_block_of_zeros_are_named(tmp_path: Path) -> None:
    path = tmp_path / "big.ckpt"
    save_checkpoint(contents(size=50000), path)
    whole = path.read_bytes()
    for damaged in (
        whole[:100000] + bytes([whole[100000] ^ 1]) + whole[100001:],
        whole[:98304] + bytes(4096) + whole[98304 + 4096 :],  # a page that never reached the disk
    ):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=r"big\.ckpt is damaged in .*/data/0"):
            load_checkpoint(path)


def test_a_tensor_that_the_directory_calls_a_folder(checkpoint: Path) -> None:
    """torch.load would fill it with whatever is in memory."""
    with zipfile.ZipFile(checkpoint) as archive:
        start = archive.start_dir
    content = bytearray(checkpoint.read_bytes())
    name = content.index(b"archive/data/0", start)
    content[name - 8] |= 0x10  # the attributes stand before the offset, and that before the name
    checkpoint.write_bytes(content)
    assert damage(checkpoint) == "is damaged in its directory"


@pytest.mark.parametrize("content", [b"", b"weights", b"PK\x03\x04" + bytes(100)])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.ckpt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"notes\.ckpt is cut short or no checkpoint"):
        load_checkpoint(path)


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone\.ckpt does not exist"):
        load_checkpoint(tmp_path / "gone.ckpt")
    with pytest.raises(UserError, match=r"cannot be read \(is a directory\)"):
        load_checkpoint(tmp_path)


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "pickle.ckpt"
    save_checkpoint({"model": SimpleNamespace(a=1)}, path)
    with pytest.raises(UserError, match=r"pickle\.ckpt holds more than tensors and plain data"):
        load_checkpoint(path)


def test_a_disk_that_is_full_only_at_the_end(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some file systems find out when the data are forced to the disk."""

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="no space left on device"):
        save_checkpoint(contents(1), checkpoint)
    assert same(load_checkpoint(checkpoint), contents())
    assert files_next_to(checkpoint) == ["last.ckpt"]


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot write .*nowhere/a\.ckpt: no such file or directory"):
        save_checkpoint(contents(), tmp_path / "nowhere" / "a.ckpt")


@pytest.mark.parametrize("limit", [0, 100, 5000, 200000, 400000, 400500, 401000])
def test_files_may_not_grow_beyond_a_limit(checkpoint: Path, limit: int) -> None:
    """As on a full disk, the system stops torch.save after so many bytes, at its start, middle or end."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    data = {"step": 1, "w": torch.arange(100000.0)}
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        with pytest.raises(UserError) as caught:
            save_checkpoint(data, checkpoint)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert str(caught.value) == f"cannot write {checkpoint}: file too large; a file already there is kept"
    assert same(load_checkpoint(checkpoint), contents())
    assert files_next_to(checkpoint) == ["last.ckpt"]


def child(code: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


ENDLESS = """
import sys
from pathlib import Path
import torch
from distill.checkpoints.checkpoint_file import save_checkpoint
for step in range(1, 1000000):
    save_checkpoint({"step": step, "w": torch.full((200000,), float(step))}, Path(sys.argv[1]))
    print(step, flush=True)
"""


def test_killed_while_writing(tmp_path: Path) -> None:
    """kill -9 at a random moment of an endless row of writes: the last one reported is there, or the next."""
    path = tmp_path / "last.ckpt"
    process = child(ENDLESS, path)
    assert process.stdout is not None
    for _ in range(20):
        process.stdout.readline()
    process.kill()
    reported = 20 + len(process.stdout.read().splitlines())
    assert process.wait() == -9
    saved = load_checkpoint(path)
    assert saved["step"] in (reported, reported + 1)
    assert torch.equal(saved["w"], torch.full((200000,), float(saved["step"])))


HALF = """
import sys, time
from pathlib import Path
from kd_seg_ros.common.files import write_atomically
def write(temporary):
    temporary.write_bytes(b"half")
    print(temporary.name, flush=True)
    time.sleep(60)
write_atomically(Path(sys.argv[1]), write)
"""


def test_killed_in_the_middle_of_a_write(checkpoint: Path) -> None:
    process = child(HALF, checkpoint)
    assert process.stdout is not None
    assert process.stdout.readline() == "last.ckpt.tmp\n"
    process.kill()
    process.communicate()
    assert same(load_checkpoint(checkpoint), contents())
    save_checkpoint(contents(2), checkpoint)
    assert same(load_checkpoint(checkpoint), contents(2))
    assert files_next_to(checkpoint) == ["last.ckpt"]


def test_the_newest_whole_checkpoint_is_chosen(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.ckpt", "b.ckpt", "c.ckpt", "d.ckpt")]
    for age, path in enumerate([paths[1], paths[3], paths[0], paths[2]]):  # c is the youngest
        save_checkpoint(contents(age), path)
        os.utime(path, (1000 - age, 1000 + age))
    missing = tmp_path / "missing.ckpt"
    assert newest_whole([*paths, missing]) == (paths[2], [])

    for path, length in ((paths[2], 500), (paths[0], 0)):
        whole, times = path.read_bytes(), path.stat()
        path.write_bytes(whole[:length])
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    torn = [f"{path} is cut short or no checkpoint" for path in (paths[2], paths[0])]
    assert newest_whole(paths) == (paths[3], torn)
    assert newest_whole([paths[0], paths[2]]) == (None, torn)
    assert newest_whole([missing]) == (None, [])


def test_of_equally_old_checkpoints_the_last_named_is_chosen(tmp_path: Path) -> None:
    paths = [tmp_path / "a.ckpt", tmp_path / "b.ckpt"]
    for path in paths:
        save_checkpoint(contents(), path)
        os.utime(path, (1000, 1000))
    assert newest_whole(paths)[0] == paths[1]
    assert newest_whole(paths[::-1])[0] == paths[0]
