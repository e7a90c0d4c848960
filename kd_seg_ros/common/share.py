"""Where the package's own launch files, settings and demo model lie."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from kd_seg_ros.common.errors import UserError

PACKAGE = "kd_seg_ros"
DEMO_MODEL: Final = "resource/demo_student.onnx"
"""The model file that is used where none is given, in the share folder."""


def default_model() -> Path:
    """Return the path of the demo student, which the node and the commands take unless told otherwise.

    :raises UserError: if it is not installed.
    """
    return share_path(DEMO_MODEL)


def share_path(relative: str) -> Path:
    """Return the path of a file in the package's share folder, such as ``resource/demo_student.onnx``.

    It is looked for in the ROS 2 install (through the ament index), then in the Python environment
    (``share/`` under its prefix), then in the source checkout, which has the same layout.

    :raises UserError: with the places, if none of them has it.
    """
    places = [*_ament_share(), Path(sys.prefix) / "share" / PACKAGE, Path(__file__).resolve().parents[2]]
    for place in places:
        if (place / relative).exists():
            return place / relative
    raise UserError(
        f"{relative} of {PACKAGE} was not found in {', '.join(map(str, places))}: install the package again"
    )


def _ament_share() -> list[Path]:
    """Return the share folder of the ROS 2 install, if the package is installed there."""
    try:
        from ament_index_python.packages import get_package_share_directory

        return [Path(get_package_share_directory(PACKAGE))]
    except (ImportError, LookupError, OSError):  # no ROS 2 here, none sourced, or one without this package
        return []
