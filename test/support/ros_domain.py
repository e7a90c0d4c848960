"""A separate ROS domain for each test process: other programs neither hear nor disturb it."""

from __future__ import annotations

import fcntl
import os
import random
import tempfile
from pathlib import Path

HIGH = range(215, 232)
"""Domains that nothing of the project draws by itself; their ports lie above those that Linux hands out."""
LOW = range(2, 102)

_held: dict[str, int] = {}


def own_domain() -> int:
    """Return a domain that no other test process on this machine has; it is this process' until it ends."""
    if "domain" not in _held:
        _held["domain"] = next(domain for domain in [*_shuffled(HIGH), *_shuffled(LOW)] if _claimed(domain))
    return _held["domain"]


def _shuffled(domains: range) -> list[int]:
    return random.SystemRandom().sample(domains, len(domains))


def _claimed(domain: int) -> bool:
    """Lock the domain's file for as long as this process lives; return whether nobody else has."""
    path = Path(tempfile.gettempdir()) / f"kd_seg_ros_test_domain_{domain}"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError:  # another user's
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return False
    return True
