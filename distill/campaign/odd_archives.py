"""Files that are archives of PyTorch, or look like some: damaged, packed again, or holding code."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path
from tempfile import gettempdir
from typing import Any, Final

import numpy as np
import torch
from torch import nn

EXECUTED: Final = Path(gettempdir()) / f"kd_seg_fuzz_executed_{os.getpid()}"
"""What the code in a file makes, should it ever be run."""


class Code:
    """Makes a folder when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(EXECUTED),)


def saved(content: Any, **options: Any) -> bytes:
    """Return the file that torch.save makes of something."""
    buffer = io.BytesIO()
    torch.save(content, buffer, **options)
    return buffer.getvalue()


def noise(rng: np.random.Generator) -> bytes:
    """Return random bytes, perhaps with the beginning of a known format."""
    start = [b"", b"PK\x03\x04", b"\x80\x02}", b"\x08\x09"][int(rng.integers(4))]
    return start + rng.bytes(int(rng.integers(0, 3000)))


def torchscript() -> bytes:
    """Return a small network as a TorchScript archive."""
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(nn.Linear(2, 2)), buffer)
    return buffer.getvalue()


def zip_of(**records: bytes) -> bytes:
    """Return a zip archive that is none of PyTorch's."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in records.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def repacked(whole: bytes, compression: int, more: str | None = None) -> bytes:
    """Return a file of PyTorch that another program has packed again, perhaps with one more record."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(whole)) as old,
        zipfile.ZipFile(buffer, "w", compression) as archive,
    ):
        for record in old.infolist():
            archive.writestr(record.filename, old.read(record))
        if more is not None:
            archive.writestr(more, b"x")
    return buffer.getvalue()


def nothing(content: bytearray, rng: np.random.Generator) -> None:
    """Leave the file as it is."""


def flip(content: bytearray, rng: np.random.Generator) -> None:
    """Change one bit."""
    content[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))


def flip_at_the_end(content: bytearray, rng: np.random.Generator) -> None:
    """Flip a bit in the archive's directory."""
    content[len(content) - int(rng.integers(1, 4000))] ^= 1 << int(rng.integers(8))


def cut(content: bytearray, rng: np.random.Generator) -> None:
    """Cut the file somewhere."""
    del content[int(rng.integers(len(content))) :]


def remove_some(content: bytearray, rng: np.random.Generator) -> None:
    """Remove up to a thousand bytes from somewhere."""
    place = int(rng.integers(len(content)))
    del content[place : place + int(rng.integers(1, 1000))]
