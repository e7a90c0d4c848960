"""Keeps the memory of one large image for the next, instead of giving it back to the kernel after each.

glibc takes each block of more than 128 kB from the kernel and returns it when it is freed, at least at first.
Every image then costs a page fault per 4 kB: 1500 of them for 1920×1080 pixels of three bytes.
"""

from __future__ import annotations

import ctypes
import os
from typing import Final

VARIABLES: Final = {"MALLOC_MMAP_THRESHOLD_": "268435456", "MALLOC_TRIM_THRESHOLD_": "1073741824"}
"""Variables of the environment that tell glibc the same when a program starts, in bytes: from which size on a
block is the kernel's, and how much freed memory is kept."""

_NUMBERS: Final = {"MALLOC_MMAP_THRESHOLD_": -3, "MALLOC_TRIM_THRESHOLD_": -1}
"""The numbers of these settings in glibc's ``mallopt``."""
_TUNABLES: Final = {
    "MALLOC_MMAP_THRESHOLD_": "glibc.malloc.mmap_threshold",
    "MALLOC_TRIM_THRESHOLD_": "glibc.malloc.trim_threshold",
}
"""Their names in the variable GLIBC_TUNABLES, the other way to set them."""
_LARGEST: Final = 32 << 20
"""The largest first setting that releases of glibc take that refuse more."""


def keep_large_blocks() -> dict[str, int]:
    """Tell glibc's allocator of this process; what the user has set by variables is left alone.

    :return: what was set, in bytes; nothing where the C library is another than glibc.
    """
    library = ctypes.CDLL(None)
    if not (hasattr(library, "mallopt") and hasattr(library, "gnu_get_libc_version")):
        return {}
    done = {}
    for name, value in VARIABLES.items():
        if name in os.environ or _TUNABLES[name] in os.environ.get("GLIBC_TUNABLES", ""):
            continue
        for size in (int(value), _LARGEST):
            if library.mallopt(_NUMBERS[name], size):
                done[name] = size
                break
    return done
