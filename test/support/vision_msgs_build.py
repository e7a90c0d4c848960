"""Makes ``vision_msgs`` importable for child processes, generating it where no ROS 2 install has it."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).with_name("vision_msgs_package")
CACHE = Path(__file__).resolve().parents[2] / ".cache"


def vision_msgs_environment() -> dict[str, str]:
    """Return the environment variables with which a child process can import ``vision_msgs``.

    The first call builds the package with the ROS 2 wheels' generators into the checkout's ``.cache``
    (about 15 s).

    :raises RuntimeError: if that fails, with the end of CMake's output.
    """
    if importlib.util.find_spec("vision_msgs"):
        return {}
    install = CACHE / f"vision_msgs-{_fingerprint()}"
    if not install.is_dir():
        _build(install)
    packages = next(install.glob("lib/python3*/*-packages"), None) or next(
        install.glob("local/**/*-packages")
    )
    before = {"PYTHONPATH": packages, "LD_LIBRARY_PATH": install / "lib"}
    return {name: _prepended(name, folder) for name, folder in before.items()}


def _prepended(name: str, folder: Path) -> str:
    return os.pathsep.join(filter(None, [str(folder), os.environ.get(name)]))


def _fingerprint() -> str:
    """Changes with the sources, the Python and the environment they are built with."""
    digest = hashlib.sha256(f"{sys.version_info[:2]} {sys.prefix}".encode())
    for file in sorted(SOURCE.rglob("*")):
        if file.is_file():
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _build(install: Path) -> None:
    CACHE.mkdir(exist_ok=True)
    prefixes = ("AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH")
    environment = os.environ | {name: _prepended(name, Path(sys.prefix)) for name in prefixes}
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        build, staging = Path(folder) / "build", Path(folder) / "install"
        options = [f"-DPython3_EXECUTABLE={sys.executable}", f"-DCMAKE_INSTALL_PREFIX={staging}"]
        cmake = Path(sys.prefix) / "bin" / "cmake"
        command = str(cmake) if cmake.exists() else "cmake"
        _run([command, "-S", str(SOURCE), "-B", str(build), "-DBUILD_TESTING=OFF", *options], environment)
        _run([command, "--build", str(build), "--target", "install", "--parallel", "2"], environment)
        try:
            staging.rename(install)
        except OSError:
            # Another test process was quicker.
            if not install.is_dir():
                raise


def _run(command: list[str], environment: dict[str, str]) -> None:
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise RuntimeError(f"{command[0]} is not installed") from error
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}:\n{(done.stdout + done.stderr)[-2000:]}")
