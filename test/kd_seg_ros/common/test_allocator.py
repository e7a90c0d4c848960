from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from kd_seg_ros.common import allocator

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")

FAULTS = """
import resource, sys
from kd_seg_ros.common.allocator import keep_large_blocks
done = keep_large_blocks() if sys.argv[1] == "kept" else {}
images = []
for number in range(20):
    # Two are alive at a time, as a message and the next one are: so glibc does not learn from freed ones.
    images = [bytes([number % 255 + 1]) * 6_220_800, bytes([1]) * 2_073_600]
    if number == 3:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before, len(done))
"""


def page_faults(which: str, **variables: str) -> tuple[int, int]:
    """Return how many page faults 16 images cost in a new process, and how many settings were made."""
    names = ("MALLOC_", "GLIBC_TUNABLES")
    plain = {key: value for key, value in os.environ.items() if not key.startswith(names)}
    command = [sys.executable, "-c", FAULTS, which]
    done = subprocess.run(command, env=plain | variables, capture_output=True, check=True)
    faults, settings = done.stdout.split()
    return int(faults), int(settings)


def test_an_images_memory_is_used_again() -> None:
    assert page_faults("kept") == (pytest.approx(0, abs=1000), 2)


def test_the_users_own_settings_stay() -> None:
    faults, settings = page_faults("kept", MALLOC_MMAP_THRESHOLD_="65536", MALLOC_TRIM_THRESHOLD_="65536")
    assert settings == 0
    assert faults > 16 * 1500
    assert page_faults("kept", GLIBC_TUNABLES="glibc.malloc.trim_threshold=65536")[1] == 1


def test_other_c_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda _: object())
    assert allocator.keep_large_blocks() == {}


def test_a_glibc_that_refuses_large_values_gets_a_smaller_one(monkeypatch: pytest.MonkeyPatch) -> None:
    class Old:
        gnu_get_libc_version = None

        def mallopt(self, number: int, size: int) -> int:
            return size <= 32 << 20

    for name in allocator.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda _: Old())
    assert set(allocator.keep_large_blocks().values()) == {32 << 20}
