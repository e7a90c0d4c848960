"""The Python classes of message types that a bag names.

A bag comes from others, and importing a module runs it. So only packages that ROS's generator has made are
imported, which is seen from their files before, and none from the current folder.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from kd_seg_ros.common.ros_names import is_type_name


def message_class(msgtype: str) -> type[Any] | None:
    """Return the class of a type such as ``sensor_msgs/msg/Image``; None where it is not installed."""
    if not is_type_name(msgtype):
        return None
    package, kind, name = msgtype.split("/")
    if kind != "msg":
        return None
    with _without_current_folder():
        loaded = sys.modules.get(package)
        folder = Path(loaded.__file__).parent if loaded and loaded.__file__ else _folder_of(package)
        if folder is None or not _is_generated(folder, package, name):
            return None
        try:
            found = getattr(importlib.import_module(f"{package}.msg"), name, None)
        except ImportError:  # of another system or Python than this one
            return None
    return found if isinstance(found, type) else None


def _folder_of(package: str) -> Path | None:
    """Return where a package lies, without importing it."""
    spec = PathFinder.find_spec(package)
    return Path(spec.origin).parent if spec and spec.origin else None


def _is_generated(folder: Path, package: str, name: str) -> bool:
    """Return whether ROS's generator for Python has made a package with this message.

    It writes a module per message and the package's compiled type support.
    """
    words = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    module = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", words).lower()
    support = folder.glob(f"{package}_s__rosidl_typesupport_c*.so")
    return (folder / "msg" / f"_{module}.py").is_file() and any(support)


@contextmanager
def _without_current_folder() -> Iterator[None]:
    """Take the current folder out of the places where Python looks for modules."""
    before = list(sys.path)
    here = Path.cwd()
    sys.path[:] = [entry for entry in before if entry and Path(entry).resolve() != here]
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path[:] = before
