"""A separate ROS domain for each test process: other programs neither hear nor disturb it."""

from __future__ import annotations

import os
import random


def own_domain() -> int:
    """Draw a domain, 2…101; two workers of pytest-xdist, gw0 and gw1, never draw the same one."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    return 2 * random.SystemRandom().randint(1, 50) + worker % 2
