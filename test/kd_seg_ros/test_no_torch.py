"""The vehicle half imports nothing of the offline half, nor what only that needs."""

from __future__ import annotations

import importlib.util
import json
import pkgutil
import subprocess
import sys

import kd_seg_ros

BLOCKED = ("torch", "torchvision", "timm", "lightning", "pytorch_lightning", "pydantic", "distill")
MODULES = sorted(info.name for info in pkgutil.walk_packages(kd_seg_ros.__path__, "kd_seg_ros."))

IMPORT_ALL = """
import importlib, json, sys
blocked, modules = json.loads(sys.argv[1])
for name in blocked:
    sys.modules[name] = None  # makes any import of it fail
result = {}
for name in modules:
    try:
        importlib.import_module(name)
    except ImportError as error:
        result[name] = error.name or str(error)
loaded = [name for name in sys.modules if name.partition(".")[0] in blocked and sys.modules[name] is not None]
print(json.dumps([result, loaded]))
"""


def test_every_module_imports_without_the_offline_half() -> None:
    assert "kd_seg_ros.inference.engine" in MODULES
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, json.dumps([BLOCKED, MODULES])],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    failed, loaded = json.loads(done.stdout.splitlines()[-1])
    assert loaded == []
    if importlib.util.find_spec("rclpy") is None:
        # No ROS here: what fails for want of it is no matter.
        failed = {name: missing for name, missing in failed.items() if missing.partition(".")[0] in BLOCKED}
    assert failed == {}


def test_what_needs_no_ros_is_imported_without_it() -> None:
    """All of the vehicle half but the node; the launch files and the benchmark start other processes."""
    rooms = ("common", "inference", "bags", "playback")
    modules = [name for name in MODULES if name.split(".")[1] in rooms]
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, json.dumps([["rclpy", *BLOCKED], modules])],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    failed, loaded = json.loads(done.stdout.splitlines()[-1])
    assert loaded == []
    assert failed == {}
