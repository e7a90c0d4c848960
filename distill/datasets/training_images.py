"""Remembers which images a network was trained on, so that scores on the same are told.

Of each image a digest of its content is kept, whatever its path: copies, links and other mounts are found.
A file of other bytes, such as the same picture saved again, is not. `fit` keeps the digests in its
checkpoints, `export` in the model card.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import stat
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from distill.datasets.bag_images import raw_message
from distill.datasets.frame import Frame
from kd_seg_ros.common.errors import UserError

MOST_KEPT: Final = 16384
"""Most digests that are kept, 96 KiB; of more images those with the smallest digests are."""
DIGEST_BYTES: Final = 6
"""Bytes of a digest: among 16384 and 1000 other images the chance of two equal ones is 6e-8."""

_BLOCK: Final = 1 << 15
_BLOCKS: Final = 4
_THREADS: Final = 8
"""Files that are read at the same time: most of the time is spent waiting for the disk."""


@dataclass(frozen=True)
class TrainingImages:
    """The images that a network was trained on, by their content."""

    count: int
    """Number of images."""
    digests: frozenset[bytes]
    """Their digests, of more than :data:`MOST_KEPT` the smallest."""

    @classmethod
    def of(cls, frames: Sequence[Frame]) -> TrainingImages:
        """Read the images of some frames and remember them; those that cannot be read are left out."""
        found = {digest for digest in digests_of(frames) if digest is not None}
        return cls(len(found), smallest(found))

    @classmethod
    def parse(cls, values: object) -> TrainingImages | None:
        """Return what :meth:`document` has written; None if a value is nothing of the kind."""
        if not isinstance(values, dict):
            return None
        count, text = values.get("count"), values.get("digests")
        if type(count) is not int or not isinstance(text, str):
            return None
        try:
            content = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            return None
        places = range(0, len(content), DIGEST_BYTES)
        digests = frozenset(content[place : place + DIGEST_BYTES] for place in places)
        whole = len(content) == DIGEST_BYTES * len(digests) and len(digests) == min(count, MOST_KEPT)
        return cls(count, digests) if whole else None

    def document(self) -> dict[str, Any]:
        """Return plain values for a checkpoint or a model card; the digests as base64."""
        content = b"".join(sorted(self.digests))
        return {"count": self.count, "digests": base64.b64encode(content).decode("ascii")}

    def joined(self, other: TrainingImages) -> TrainingImages:
        """Return the images of both trainings, for a network that has seen both.

        Where not all digests are kept, images that both have may be counted twice.
        """
        both = self.digests | other.digests
        kept_all = max(self.count, other.count) <= MOST_KEPT
        return TrainingImages(len(both) if kept_all else self.count + other.count, smallest(both))

    def among(self, frames: Sequence[Frame]) -> int:
        """Return how many of some images are among these; at least so many, if not all digests are kept."""
        return sum(digest in self.digests for digest in digests_of(frames))


def smallest(digests: Iterable[bytes]) -> frozenset[bytes]:
    """Return the smallest digests, :data:`MOST_KEPT` of them or all."""
    return frozenset(sorted(digests)[:MOST_KEPT])


def digests_of(frames: Sequence[Frame]) -> list[bytes | None]:
    """Return a digest of each frame's image, in their order; None for an image that cannot be read."""
    files = [frame.image for frame in frames if frame.message is None]
    found = []
    with ThreadPoolExecutor(_THREADS) as threads:
        of_files = threads.map(file_digest, files)
        for frame in frames:
            # The reader of a bag belongs to one thread: its messages are read here.
            found.append(next(of_files) if frame.message is None else _message_digest(frame))
    return found


def file_digest(path: Path) -> bytes | None:
    """Return a digest of a file's size and content; None if it is no file or cannot be read.

    Of a large file four blocks of 32 KiB are read, from its beginning to its end. That is enough: in all
    formats that compress, what follows after a difference differs.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except (OSError, ValueError):
        return None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return None
        digest = hashlib.sha256(str(status.st_size).encode())
        last = status.st_size - _BLOCK
        if last <= (_BLOCKS - 1) * _BLOCK:
            digest.update(os.pread(descriptor, _BLOCKS * _BLOCK, 0))
        else:
            for number in range(_BLOCKS):
                digest.update(os.pread(descriptor, _BLOCK, number * last // (_BLOCKS - 1)))
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return digest.digest()[:DIGEST_BYTES]


def _message_digest(frame: Frame) -> bytes | None:
    """Return a digest of the message that holds a frame's image; None if it cannot be read."""
    assert frame.message is not None
    try:
        return hashlib.sha256(raw_message(frame.message)).digest()[:DIGEST_BYTES]
    except UserError:
        return None
