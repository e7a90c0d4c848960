"""A device of the kernels without a GPU: the host's memory, and the same source compiled as C++."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kd_seg_ros.inference.gpu.device import FUNCTIONS, Launch

KERNELS = Path(str(resources.files("kd_seg_ros.inference.gpu") / "kernels.cu"))
SHIM = Path(__file__).with_name("cuda_on_host.cpp")


def compiler() -> str:
    """Return a C++ compiler; the test is skipped where there is none."""
    for name in (os.environ.get("CXX"), "c++", "g++", "clang++"):
        if name and shutil.which(name):
            return name
    pytest.skip("no C++ compiler: on Debian and Ubuntu, apt install g++")


@cache
def library(macros: tuple[tuple[str, int], ...]) -> ctypes.CDLL:
    """Compile the kernels; the libraries are kept for the user, by content, so that it is done once."""
    command = [compiler(), "-std=c++14", "-O0", "-Wall", "-Wextra", "-shared", "-fPIC"]
    command += [f"-D{name}={value}" for name, value in macros]
    digest = hashlib.sha256(KERNELS.read_bytes() + SHIM.read_bytes() + " ".join(command).encode())
    folder = Path(__file__).resolve().parents[2] / ".cache" / "kernels"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{digest.hexdigest()[:16]}.so"
    if not path.exists():
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            made = Path(temporary) / "kernels.so"
            done = subprocess.run(
                [*command, f'-DKERNELS="{KERNELS}"', str(SHIM), "-o", str(made)],
                capture_output=True,
                text=True,
            )
            assert done.returncode == 0, done.stderr
            assert not done.stderr, done.stderr  # no warnings either
            made.rename(path)
    return ctypes.CDLL(str(path))


class HostDevice:
    """See :class:`kd_seg_ros.inference.gpu.device.Device`; all is done at once."""

    name = "cpu"
    stream = 0

    def __init__(self) -> None:
        self.closed = False
        self.waits = 0
        self.launched: list[str] = []

    def activate(self) -> None:
        assert not self.closed

    def functions(self, macros: Mapping[str, int]) -> Mapping[str, Any]:
        compiled = library(tuple(sorted(macros.items())))
        return {name: (name, compiled) for name in FUNCTIONS}

    def launch(self, launch: Launch) -> None:
        name, compiled = launch.function
        shape = (ctypes.c_int * 4)(*launch.grid, *launch.block)
        assert compiled.launch(name.encode(), shape, launch.pointers) == 0
        self.launched.append(name)

    def upload(self, target: int, source: NDArray[Any]) -> None:
        assert source.flags.c_contiguous
        ctypes.memmove(target, source.ctypes.data, source.nbytes)

    def download(self, target: NDArray[Any], source: int) -> None:
        assert target.flags.c_contiguous
        ctypes.memmove(target.ctypes.data, source, target.nbytes)

    def synchronize(self) -> None:
        self.waits += 1

    def close(self) -> None:
        self.closed = True


def half_of(values: NDArray[np.float32], macros: Mapping[str, int]) -> NDArray[np.float16]:
    """Convert by the shim's own function."""
    convert = library(tuple(sorted(macros.items()))).to_half
    convert.argtypes, convert.restype = [ctypes.c_float], ctypes.c_uint16
    return np.array([convert(float(value)) for value in values], np.uint16).view(np.float16)
