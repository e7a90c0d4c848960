"""A model file's own digest: whether its bytes are still those that were written.

A flipped bit in a weight changes the masks and nothing else tells. So the card names the SHA-256 of the whole
file in which the digest itself stands as 64 zeros, and how it was computed. It finds damage, such as that of
a worn flash card or a broken copy; it is no signature, anybody can compute it.
"""

from __future__ import annotations

import hashlib
import logging
import re
from dataclasses import replace
from typing import Final

from kd_seg_ros.inference.card import ModelCard
from kd_seg_ros.inference.contract import METADATA_KEY
from kd_seg_ros.inference.errors import EngineError
from kd_seg_ros.inference.onnx_file import OnnxFile

METHOD: Final = "SHA-256 of the file with these 64 digits set to 0"
"""Value of the card's ``digest_method``. There are two fields, so that damage to the name of one of them
cannot make the file look like one from before digests."""
UNKNOWN: Final = "0" * 64
"""The card's digest until :func:`seal` replaces it."""

_DIGEST: Final = re.compile(rb'"digest": "([0-9a-f]{64})"')

_log = logging.getLogger(__name__)


def to_be_sealed(card: ModelCard) -> ModelCard:
    """Return a card for a file that :func:`seal` is given next."""
    return replace(card, digest=UNKNOWN, digest_method=METHOD)


def seal(content: bytes) -> bytes:
    """Return a model file's bytes with its digest in the place of :data:`UNKNOWN`.

    :raises ValueError: if that is not there exactly once.
    """
    entry = f'"digest": "{UNKNOWN}"'.encode()
    if content.count(entry) != 1:
        raise ValueError("the model card must hold exactly one digest that is not yet known")
    place = content.index(entry) + len(b'"digest": "')
    digest = hashlib.sha256(content).hexdigest()
    return b"".join((content[:place], digest.encode(), content[place + len(digest) :]))


def check_digest(file: OnnxFile, card: ModelCard) -> None:
    """Compare a file with the digest in its card; a file without one gets a line in the log.

    :raises EngineError: if they differ.
    """
    if not (card.digest or card.digest_method):
        _log.info("%s: from before model files carried a digest: damage would not be noticed", file.path)
        return
    if card.digest_method != METHOD or not _matches(file, card.digest):
        raise EngineError(
            f"{file.path}: the file is damaged: its bytes are not those that were written (the digest in its "
            "model card differs): copy or export it again"
        )


def _matches(file: OnnxFile, digest: str) -> bool:
    start, end = file.metadata[METADATA_KEY]
    found = list(_DIGEST.finditer(file.content, start, end))
    if len(found) != 1 or found[0][1] != digest.encode():
        return False
    # In three parts, since a copy of the file would double the memory that opening it takes.
    content = memoryview(file.content)
    hashed = hashlib.sha256(content[: found[0].start(1)])
    hashed.update(UNKNOWN.encode())
    hashed.update(content[found[0].end(1) :])
    return hashed.hexdigest() == digest
