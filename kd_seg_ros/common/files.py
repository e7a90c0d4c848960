"""Files as a whole: their SHA-256, and writing one so that no reader ever meets a half of it.

A file is written under another name in the same folder, forced to the disk (fsync) and only then renamed,
which POSIX does in one step: at every moment there is the old file or the new one, after a power cut as well.
A process killed while it writes leaves ``NAME.tmp``, which the next write of NAME replaces. One process at a
time may write a file.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from kd_seg_ros.common.errors import UserError, first_line

TEMPORARY: Final = ".tmp"
"""Ending that is added to a file's name while it is being written."""

_BLOCK: Final = 1 << 20
_REMEDIES: Final = {
    errno.ENOSPC: "make room there, or write to another disk",
    errno.EDQUOT: "make room there, or write to another disk",
    errno.EROFS: "write to another folder",
    errno.EACCES: "write to another folder, or change its permissions",
    errno.EMFILE: "raise the limit by `ulimit -n`",
    errno.ENAMETOOLONG: "give a shorter one",
    errno.ELOOP: "a link points to itself",
}
"""What to do about errors of the system, by their number."""


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content, 64 hexadecimal digits; reads one MiB at a time."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def read_text(path: Path) -> str:
    """Return the content of a text file in UTF-8.

    A pipe that nobody writes to would be waited for without end, a device may never end: both are refused,
    except the pipes of a shell's ``<(command)``.

    :raises OSError: if it cannot be read or is no file.
    :raises UnicodeDecodeError: if it is not UTF-8.
    """
    if not path.is_relative_to("/dev/fd"):
        refuse_to_wait(path)
    return path.read_text(encoding="utf-8")


def refuse_to_wait(path: Path) -> None:
    """Refuse to read a pipe or a device, which would be waited for, perhaps without end.

    :raises OSError: if there is something of that name that is neither a file nor a folder, or nothing.
    """
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise OSError(errno.EINVAL, "a pipe or a device, not a file", str(path))


def write_atomically(path: Path, content: bytes | str | Callable[[Path], object]) -> None:
    """Write a file, or leave whatever is there as it is.

    :param content: bytes, text (stored as UTF-8), or a function that is given the path of a temporary file
        in the same folder, writes it and closes it.
    :raises UserError: if it cannot be written, with the file and the system's reason, such as "no space left
        on device". Other exceptions of the function pass. After any of them the temporary file is gone.
    """
    try:
        with atomic_file(path) as temporary:
            if isinstance(content, bytes):
                temporary.write_bytes(content)
            elif isinstance(content, str):
                temporary.write_text(content, encoding="utf-8")
            else:
                content(temporary)
    except OSError as error:
        raise UserError(f"cannot write {path}: {reason(error)}; a file already there is kept") from error


def refuse_device(path: Path) -> None:
    """Refuse to write to a device or a pipe: renaming a file to that name would put it out of the way.

    ``--out /dev/null`` as root, as in most containers, would leave the machine without /dev/null.

    :raises OSError: if there is something of that name that is neither a file nor a folder.
    """
    try:
        there = path.exists()
    except OSError:
        return  # writing tells what is wrong
    if there:
        refuse_to_wait(path)


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Give the block a path to write to; the file there becomes ``path`` if the block ends without an error.

    :raises OSError: if the file cannot be forced to the disk or renamed, or would replace a device. The
        temporary file is gone after that, as after any error of the block.
    """
    refuse_device(path)
    temporary = path.with_name(path.name + TEMPORARY)
    try:
        yield temporary
        sync_file(temporary)
        temporary.replace(path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_file(path: Path) -> None:
    """Wait until a file's content is on the disk; raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(path: Path) -> None:
    """Wait until a folder's list of names is on the disk.

    Some network folders cannot be synced; after a power cut one of them may show the old file again, whole.
    """
    with suppress(OSError):
        sync_file(path)


def reason(error: OSError) -> str:
    """Return the system's reason, to stand inside a sentence, and what to do about it where that is known.

    Such as: "no space left on device (make room there, or write to another disk)".
    """
    text = error.strerror or first_line(error)
    remedy = _REMEDIES.get(error.errno or 0)
    return text[:1].lower() + text[1:] + (f" ({remedy})" if remedy else "")
