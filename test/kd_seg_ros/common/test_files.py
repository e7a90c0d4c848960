"""SHA-256 of files, and files that are written as a whole or not at all."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.files import atomic_file, sha256, write_atomically


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("content", "digest"),
    [
        # FIPS 180-2, appendices B.1 to B.3; the last one is a million times "a".
        (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
        ),
        (b"a" * 1_000_000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
    ],
)
def test_the_digest_is_that_of_the_standard(tmp_path: Path, content: bytes, digest: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert sha256(path) == digest


def test_the_digest_of_several_blocks(tmp_path: Path) -> None:
    """3.5 MiB of zeros, by the program sha256sum of the GNU core utilities."""
    path = tmp_path / "file"
    path.write_bytes(bytes(7 << 19))
    assert sha256(path) == "4d9cbaf3aa0935a8c113f139691b3daf9c94c8d6c278aedc8eec66a4b9f6c8ae"


@pytest.mark.parametrize("content", [b"\x00\xff", "Straße\n", lambda path: path.write_bytes(b"written")])
def test_a_file_is_replaced(tmp_path: Path, content: bytes | str | Callable[[Path], object]) -> None:
    path = tmp_path / "result.json"
    path.write_bytes(b"old and longer than the new one")
    path.with_name("result.json.tmp").write_bytes(b"left by a killed process")
    write_atomically(path, content)
    expected = content.encode() if isinstance(content, str) else content
    assert path.read_bytes() == (expected if isinstance(expected, bytes) else b"written")
    assert names(tmp_path) == ["result.json"]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^cannot write .*gone/a: no such file or directory; [^\n]*$"):
        write_atomically(tmp_path / "gone" / "a", b"")


def test_a_pipe_or_a_device_is_never_replaced(tmp_path: Path) -> None:
    """As root, `--out /dev/null` would put a file in its place; a link to a pipe is one, too."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (tmp_path / "link").symlink_to("pipe")
    for name in ("pipe", "link"):
        with pytest.raises(UserError, match=f"cannot write .*{name}: a pipe or a device, not a file"):
            write_atomically(tmp_path / name, b"x")
    assert pipe.is_fifo()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "pipe"]


def test_as_a_context_it_passes_the_systems_errors(tmp_path: Path) -> None:
    path = tmp_path / "a"
    context = atomic_file(path)
    context.__enter__().touch()
    path.mkdir()  # a file cannot be renamed to a folder's name
    with pytest.raises(IsADirectoryError):
        context.__exit__(None, None, None)
    assert names(tmp_path) == ["a"]


def on_a_full_device(temporary: Path) -> None:
    temporary.write_bytes(b"half")
    with Path("/dev/full").open("wb", buffering=0) as file:
        file.write(b"more")


def with_an_error_of_its_own(temporary: Path) -> None:
    temporary.write_bytes(b"half")
    raise ValueError("mine")


def interrupted(temporary: Path) -> None:
    temporary.write_bytes(b"half")
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("write", "error", "message"),
    [
        (
            on_a_full_device,
            UserError,
            r"^cannot write .*result\.json: no space left on device \(make room there, .*\); [^\n]*$",
        ),
        (with_an_error_of_its_own, ValueError, "^mine$"),
        (interrupted, KeyboardInterrupt, None),
    ],
)
def test_a_write_that_fails_leaves_the_old_file(
    tmp_path: Path, write: Callable[[Path], None], error: type[BaseException], message: str | None
) -> None:
    path = tmp_path / "result.json"
    path.write_bytes(b"old")
    with pytest.raises(error, match=message):
        write_atomically(path, write)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["result.json"]


def test_the_file_is_on_the_disk_before_it_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def record_sync(descriptor: int) -> None:
        events.append(f"sync {Path(f'/proc/self/fd/{descriptor}').readlink().name}")
        fsync(descriptor)

    def record_replace(self: Path, target: Path) -> Path:
        events.append(f"rename {self.name} {target.name}")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", record_sync)
    monkeypatch.setattr(Path, "replace", record_replace)
    write_atomically(tmp_path / "a", lambda temporary: temporary.touch())
    assert events == ["sync a.tmp", "rename a.tmp a", f"sync {tmp_path.name}"]
